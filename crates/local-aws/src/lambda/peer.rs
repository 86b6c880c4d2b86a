//! Whose process is at the other end of a connection, as the kernel tells it.
//!
//! On Linux `/proc/net/tcp` names the inode of a socket and `/proc/<pid>/fd` the processes that hold it. Elsewhere
//! nobody is turned away.

use std::net::SocketAddr;

/// Returns whether a connection from `peer` to `local` is held by process `leader`, or by one of its process group:
/// a function may be a script that starts others.
///
/// Reads a handful of files; not for an async thread.
#[cfg(target_os = "linux")]
pub(super) fn is_of_group(leader: u32, peer: SocketAddr, local: SocketAddr) -> bool {
    let Some(inode) = linux::inode(peer, local) else {
        return false;
    };
    linux::holds(leader, &inode) || linux::members(leader).any(|process| linux::holds(process, &inode))
}

/// Returns true: here the kernel does not tell.
#[cfg(not(target_os = "linux"))]
pub(super) fn is_of_group(_: u32, _: SocketAddr, _: SocketAddr) -> bool {
    true
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        fs,
        net::{IpAddr, Ipv6Addr, SocketAddr},
        path::Path,
    };

    /// Returns the inode of the socket that is bound to `peer` and connected to `local`.
    pub(super) fn inode(peer: SocketAddr, local: SocketAddr) -> Option<String> {
        let rows = |table: &str| fs::read_to_string(table).unwrap_or_default();
        find(&rows("/proc/net/tcp"), &hex(peer), &hex(local))
            .or_else(|| find(&rows("/proc/net/tcp6"), &hex(mapped(peer)), &hex(mapped(local))))
    }

    fn find(table: &str, peer: &str, local: &str) -> Option<String> {
        table.lines().skip(1).find_map(|row| {
            let mut columns = row.split_ascii_whitespace().skip(1);
            let is_it = columns.next() == Some(peer) && columns.next() == Some(local);
            // State, queues, timer, retransmits, user and timeout come before it.
            let inode = columns.nth(6)?;
            (is_it && inode != "0").then(|| inode.to_owned())
        })
    }

    /// The kernel prints each word of an address as a number of this machine.
    fn hex(address: SocketAddr) -> String {
        let octets = match address.ip() {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        let words = octets.chunks_exact(4).map(|word| {
            let word: [u8; 4] = word.try_into().unwrap_or_default();
            format!("{:08X}", u32::from_ne_bytes(word))
        });
        format!("{}:{:04X}", words.collect::<String>(), address.port())
    }

    /// A runtime may open sockets for both families and reach the loopback interface by them.
    fn mapped(address: SocketAddr) -> SocketAddr {
        let ip: Ipv6Addr = match address.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        SocketAddr::new(ip.into(), address.port())
    }

    /// Returns whether a process holds a socket.
    pub(super) fn holds(process: u32, inode: &str) -> bool {
        let socket = format!("socket:[{inode}]");
        let files = fs::read_dir(format!("/proc/{process}/fd"));
        let mut files = files.into_iter().flatten().flatten();
        files.any(|file| fs::read_link(file.path()).is_ok_and(|target| target == Path::new(&socket)))
    }

    /// Returns the processes of a group.
    pub(super) fn members(leader: u32) -> impl Iterator<Item = u32> {
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        processes
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(move |process| group(*process) == Some(leader))
    }

    fn group(process: u32) -> Option<u32> {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // The name, in brackets, may hold anything; state and parent come before the group.
        let (_, rest) = stat.rsplit_once(')')?;
        rest.split_ascii_whitespace().nth(2)?.parse().ok()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_connection_is_of_the_process_that_holds_it_and_of_no_other() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let local = listener.local_addr().expect("bound");
        let connections = [
            TcpStream::connect(local).expect("it listens"),
            TcpStream::connect(format!("[::ffff:127.0.0.1]:{}", local.port())).expect("it listens"),
        ];
        let other = std::process::Command::new("sleep").arg("60").spawn();
        let mut other = other.expect("it starts");

        for _ in &connections {
            let (_, peer) = listener.accept().expect("a connection");
            assert!(is_of_group(std::process::id(), peer, local), "{peer}");
            assert!(!is_of_group(other.id(), peer, local), "{peer}");
        }

        other.kill().expect("it runs");
        other.wait().expect("it ends");
    }

    #[test]
    fn a_connection_of_a_process_of_the_group_counts_for_its_leader() {
        use std::os::unix::process::CommandExt;

        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let local = listener.local_addr().expect("bound");
        let script = format!(
            "bash -c 'exec 3<>/dev/tcp/127.0.0.1/{}; sleep 60' & wait",
            local.port()
        );
        let leader = std::process::Command::new("bash")
            .args(["-c", &script])
            .process_group(0)
            .spawn();
        let mut leader = leader.expect("it starts");

        let (stream, peer) = listener.accept().expect("a connection");

        assert!(is_of_group(leader.id(), peer, local));
        drop(stream);
        let group = format!("-{}", leader.id());
        let killed = std::process::Command::new("kill")
            .args(["-9", "--", &group])
            .status();
        assert!(killed.expect("it runs").success());
        leader.wait().expect("it ends");
    }
}
