//! The kernel's own events about devices: what is waited for is looked for when something has happened, not now and then.

use std::os::fd::OwnedFd;

use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use rustix::net::netlink::{KOBJECT_UEVENT, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};

/// The kernel's own events, not those of a device manager.
const KERNEL_GROUP: u32 = 1;

/// The longest event; what is longer is cut, which does no harm here.
const EVENT_BYTES: usize = 8192;

/// A socket that has heard every event since it was made.
pub(super) struct Events {
    socket: OwnedFd,
}

impl Events {
    pub(super) fn listen() -> Result<Self, Errno> {
        let kind = SocketType::DGRAM;
        let socket = socket_with(AddressFamily::NETLINK, kind, SocketFlags::CLOEXEC, Some(KOBJECT_UEVENT))?;
        bind(&socket, &SocketAddrNetlink::new(0, KERNEL_GROUP))?;
        Ok(Self { socket })
    }

    /// What `look` finds, now or after one of the events to come. The one who started the machine has the deadline.
    pub(super) fn wait_for<T>(&self, look: impl Fn() -> Option<T>) -> Result<T, String> {
        let mut event = Vec::with_capacity(EVENT_BYTES);
        loop {
            if let Some(found) = look() {
                return Ok(found);
            }
            event.clear();
            match recv(&self.socket, spare_capacity(&mut event), RecvFlags::empty()) {
                // Too many to keep: there is all the more reason to look.
                Ok(_) | Err(Errno::INTR | Errno::NOBUFS) => {}
                Err(error) => return Err(format!("cannot receive the kernel's events: {error}")),
            }
        }
    }
}
