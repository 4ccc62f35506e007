#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::super::{FromAgent, Hello, Inspection, ToAgent, WorkDone, WorkOrder, Workload};
use super::*;

fn text() -> impl Strategy<Value = String> {
    proptest::string::string_regex(".{0,40}").unwrap()
}

fn workload() -> impl Strategy<Value = Workload> {
    proptest::sample::select(Workload::ALL.to_vec())
}

fn order() -> impl Strategy<Value = WorkOrder> {
    (workload(), any::<u64>(), any::<u32>(), any::<u64>(), any::<bool>(), any::<u64>(), any::<u32>())
        .prop_map(|(workload, duration_ns, threads, bytes, direct, seed, slower_permille)| WorkOrder {
            workload,
            duration_ns,
            threads,
            bytes,
            direct,
            seed,
            slower_permille,
        })
}

fn to_agent() -> impl Strategy<Value = ToAgent> {
    prop_oneof![
        Just(ToAgent::Inspect),
        Just(ToAgent::ReadClock),
        order().prop_map(ToAgent::Prepare),
        Just(ToAgent::Run),
        Just(ToAgent::Shutdown),
    ]
}

fn inspection() -> impl Strategy<Value = Inspection> {
    let sizes = proptest::array::uniform4(proptest::option::of(any::<u64>()));
    let texts = proptest::array::uniform6(text());
    let flags = proptest::collection::vec(text(), 0..20);
    let mitigations = proptest::collection::vec((text(), text()), 0..20);
    let counts = (proptest::option::of(any::<u32>()), any::<u32>(), proptest::option::of(0.0..1e6));
    (sizes, texts, flags, mitigations, counts).prop_map(|(sizes, texts, cpu_flags, mitigations, counts)| {
        let [agent_sha256, cpu_model, clock_source, kernel_release, kernel_version, layer] = texts;
        Inspection {
            agent_sha256,
            online_cpus: counts.0,
            affinity_cpus: counts.0,
            quota_cpus: counts.2,
            cgroup_memory_limit_bytes: sizes[0],
            firmware_memory_bytes: sizes[1],
            memory_total_bytes: sizes[2],
            memory_available_bytes: sizes[3],
            cpu_model: Some(cpu_model),
            cpu_flags,
            clock_source: Some(clock_source),
            kernel_release,
            kernel_version,
            mitigations,
            layer_file_system: None,
            layer_source: Some(layer),
            page_bytes: counts.1,
        }
    })
}

fn done() -> impl Strategy<Value = WorkDone> {
    (proptest::array::uniform6(any::<u64>()), proptest::collection::vec(any::<u32>(), 0..200)).prop_map(
        |([units, elapsed_ns, cpu_ns, bytes_written, syncs, checksum], latencies_ns)| WorkDone {
            units,
            elapsed_ns,
            cpu_ns,
            bytes_written,
            syncs,
            latencies_ns,
            checksum,
        },
    )
}

fn from_agent() -> impl Strategy<Value = FromAgent> {
    let hello = (text(), any::<u32>(), text(), any::<u64>(), any::<u64>()).prop_map(
        |(agent_version, pid, boot_id, first_instruction_ns, ready_ns)| Hello {
            agent_version,
            pid,
            boot_id,
            first_instruction_ns,
            ready_ns,
        },
    );
    prop_oneof![
        hello.prop_map(FromAgent::Hello),
        inspection().prop_map(|seen| FromAgent::Inspection(Box::new(seen))),
        any::<u64>().prop_map(FromAgent::Clock),
        Just(FromAgent::Prepared),
        done().prop_map(FromAgent::Done),
        (text(), text()).prop_map(|(name, detail)| FromAgent::Failed { name, detail }),
        Just(FromAgent::Bye),
    ]
}

/// Arbitrary bytes, and arbitrary payloads behind a header that is right.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let any_bytes = || proptest::collection::vec(any::<u8>(), 0..400);
    prop_oneof![any_bytes(), any_bytes().prop_map(|payload| framed(&payload))]
}

fn framed(payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap();
    [&MAGIC[..], &VERSION.to_le_bytes(), &length.to_le_bytes(), payload].concat()
}

/// Gives its bytes one at a time, as a slow peer would.
struct Drip<'a>(&'a [u8]);

impl Read for Drip<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = into.len().min(1);
        Read::read(&mut self.0, &mut into[..most])
    }
}

proptest! {
    #[test]
    fn requests_survive_the_way(message in to_agent()) {
        let frame = encode(&message).unwrap();
        prop_assert_eq!(decode::<ToAgent>(&frame).unwrap(), message.clone());
        prop_assert_eq!(read::<ToAgent>(&mut Drip(&frame)).unwrap(), message);
    }

    #[test]
    fn answers_survive_the_way(messages in proptest::collection::vec(from_agent(), 1..4)) {
        let mut stream = Vec::new();
        for message in &messages {
            write(&mut stream, message).unwrap();
        }
        let mut rest = &stream[..];
        for message in &messages {
            prop_assert_eq!(&read::<FromAgent>(&mut rest).unwrap(), message);
        }
        prop_assert!(matches!(read::<FromAgent>(&mut rest), Err(ReadError::Closed)));
    }

    #[test]
    fn arbitrary_bytes_are_a_message_or_an_error(bytes in bytes()) {
        if let Ok(message) = decode::<FromAgent>(&bytes) {
            // Written again, for NaN is not equal to itself.
            let again = encode(&message).unwrap();
            prop_assert_eq!(encode(&decode::<FromAgent>(&again).unwrap()).unwrap(), again);
        }
        let whole = decode::<ToAgent>(&bytes);
        let streamed = read::<ToAgent>(&mut &bytes[..]);
        if let Ok(message) = whole {
            prop_assert_eq!(streamed.unwrap(), message);
        }
    }

    #[test]
    fn a_frame_that_is_cut_is_never_a_message(message in from_agent(), cut in 0.0..1.0f64) {
        let frame = encode(&message).unwrap();
        let at = (frame.len() as f64 * cut) as usize;
        prop_assert_eq!(decode::<FromAgent>(&frame[..at]).unwrap_err(), FrameError::Truncated(at));
        let read = read::<FromAgent>(&mut &frame[..at]);
        prop_assert!(matches!(read, Err(ReadError::Closed | ReadError::Frame(FrameError::Truncated(_)))));
    }
}

#[test]
fn what_is_wrong_with_a_frame_is_named() {
    let frame = encode(&ToAgent::Run).unwrap();
    let changed = |at: usize, to: u8| {
        let mut frame = frame.clone();
        frame[at] = to;
        decode::<ToAgent>(&frame).unwrap_err()
    };
    assert_eq!(changed(0, b'X'), FrameError::Magic(*b"Xso\xc0"));
    assert_eq!(changed(4, 9), FrameError::Version(9));
    assert_eq!(changed(9, 1), FrameError::TooLarge((1 << 24) + 1));
    assert_eq!(changed(6, 0), FrameError::Trailing(1));
    assert_eq!(changed(6, 2), FrameError::Truncated(11));
    assert!(matches!(changed(10, 77), FrameError::Undecodable(_)));
    assert_eq!(decode::<ToAgent>(&framed(&[1, 0])).unwrap_err(), FrameError::Trailing(1));
}

/// A reader that would be caught if it read beyond a header it must refuse.
#[test]
fn a_length_that_is_too_large_is_refused_before_its_payload_is_read() {
    let mut header = framed(&[]);
    header[6..].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut stream = header.chain(io::repeat(0));
    let error = read::<FromAgent>(&mut stream).unwrap_err();
    let too_large = FrameError::TooLarge(u32::MAX as usize);
    assert!(matches!(error, ReadError::Frame(found) if found == too_large));
    assert_eq!(stream.into_inner().0.len(), 0);
}

#[test]
fn the_most_latencies_fit_and_a_message_that_does_not_is_refused() {
    let done = |count| {
        FromAgent::Done(WorkDone {
            units: u64::MAX,
            elapsed_ns: u64::MAX,
            cpu_ns: u64::MAX,
            bytes_written: u64::MAX,
            syncs: u64::MAX,
            latencies_ns: vec![u32::MAX; count],
            checksum: u64::MAX,
        })
    };
    let most = encode(&done(super::super::MAX_LATENCIES)).unwrap();
    assert_eq!(decode::<FromAgent>(&most).unwrap(), done(super::super::MAX_LATENCIES));
    assert!(matches!(encode(&done(100_000)), Err(FrameError::TooLarge(_))));
}

/// A change of a message or of the frame must change [`VERSION`]: these bytes are version 2.
#[test]
fn the_bytes_of_version_2() {
    let order = WorkOrder {
        workload: Workload::DiskSync,
        duration_ns: 300,
        threads: 1,
        bytes: 4096,
        direct: true,
        seed: 7,
        slower_permille: 50,
    };
    let expected = b"iso\xc0\x02\x00\x0a\x00\x00\x00\x02\x0b\xac\x02\x01\x80\x20\x01\x07\x32";
    assert_eq!(encode(&ToAgent::Prepare(order)).unwrap(), expected);
    let failed = FromAgent::Failed { name: "io".into(), detail: "x".into() };
    assert_eq!(encode(&failed).unwrap(), b"iso\xc0\x02\x00\x06\x00\x00\x00\x05\x02io\x01x");
}
