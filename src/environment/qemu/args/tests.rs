use super::*;

fn plan(machine: Machine, accelerator: Accelerator, format: DiskFormat) -> QemuPlan {
    QemuPlan {
        board: Board {
            machine,
            options: vec!["a=on".into(), "b=off".into()],
            accelerator,
            cpus: 2,
            memory_bytes: 256 << 20,
        },
        kernel: "/k/vmlinux".into(),
        initrd: Some("/k/initramfs".into()),
        append: "quiet panic=-1".into(),
        disks: vec![Disk { path: "/s/layer,1".into(), format, access: Access::Uring, read_only: false }],
        channels: Channels {
            agent: Some("/s/agent".into()),
            first_instruction: Some("/s/first".into()),
            firmware: Some("/s/firmware".into()),
            monitor: Some("/s/monitor".into()),
            console: Some(Console::Socket("/s/console".into())),
        },
    }
}

fn line(plan: &QemuPlan) -> String {
    arguments(plan).iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_microvm_under_emulation_in_full() {
    assert_eq!(
        line(&plan(Machine::Microvm, Accelerator::Tcg, DiskFormat::Qcow2)),
        "-no-user-config -nodefaults -display none -no-reboot \
         -machine microvm,a=on,b=off -accel tcg,thread=multi -cpu max -smp 2 -m 256M \
         -kernel /k/vmlinux -initrd /k/initramfs -append quiet panic=-1 \
         -chardev socket,id=first,server=off,path=/s/first -device isa-debugcon,iobase=0xe9,chardev=first \
         -chardev socket,id=firmware,server=off,path=/s/firmware -device isa-debugcon,iobase=0x402,chardev=firmware \
         -chardev socket,id=monitor,server=off,path=/s/monitor -qmp chardev:monitor \
         -chardev socket,id=console,server=off,path=/s/console -serial chardev:console \
         -chardev socket,id=agent,server=off,path=/s/agent -device virtio-serial-device \
         -device virtserialport,chardev=agent,name=isocost.agent \
         -drive if=none,id=disk0,format=qcow2,cache=none,aio=io_uring,file=/s/layer,,1 \
         -device virtio-blk-device,drive=disk0"
    );
}

#[test]
fn every_combination_says_what_it_is() {
    for machine in [Machine::Microvm, Machine::Q35, Machine::Pc] {
        for accelerator in [Accelerator::Kvm, Accelerator::Tcg] {
            for format in [DiskFormat::Qcow2, DiskFormat::Raw] {
                let line = line(&plan(machine, accelerator, format));
                let kvm = accelerator == Accelerator::Kvm;
                assert_eq!(line.contains("-accel kvm -cpu host"), kvm, "{line}");
                assert_eq!(line.contains("-accel tcg,thread=multi -cpu max"), !kvm, "{line}");
                assert_eq!(line.contains("virtio-blk-pci"), machine != Machine::Microvm, "{line}");
                assert_eq!(line.contains("format=raw"), format == DiskFormat::Raw, "{line}");
                assert!(!line.contains("-netdev") && !line.contains("mitigations"), "{line}");
            }
        }
    }
}

#[test]
fn what_is_not_there_is_not_named() {
    let mut bare = plan(Machine::Q35, Accelerator::Tcg, DiskFormat::Raw);
    bare.channels = Channels { console: Some(Console::File("/log".into())), ..Channels::default() };
    bare.initrd = None;
    let in_cache = |path: &str| Disk {
        path: path.into(),
        format: DiskFormat::Raw,
        access: Access::Cached,
        read_only: true,
    };
    bare.disks = vec![in_cache("/a"), in_cache("/b")];
    let line = line(&bare);
    assert!(!line.contains("agent") && !line.contains("debugcon") && !line.contains("-initrd"), "{line}");
    assert!(line.contains("-chardev file,id=console,path=/log -serial chardev:console"), "{line}");
    assert!(line.contains("cache=writeback,aio=threads,readonly=on,file=/b"), "{line}");
}
