//! Which process is at the other end of a connection on this machine, from `/proc`; and its sudden end.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

/// A function's running process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    pub id: u32,
    /// The function's full name.
    pub function: String,
}

/// The function's process that opened the connection from `peer` to our `port`; `None` for anybody else's, and once it is gone.
pub(super) fn behind(peer: SocketAddr, port: u16) -> Option<Process> {
    let socket = format!("socket:[{}]", inode(peer.port(), port)?);
    let entries = fs::read_dir("/proc").ok()?.flatten();
    let id =
        entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).find(|id| holds(*id, &socket))?;
    Some(Process { id, function: function(id)? })
}

/// The inode of the socket that goes from one port to the other.
fn inode(from: u16, to: u16) -> Option<String> {
    ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|table| find_inode(&fs::read_to_string(table).ok()?, from, to))
}

/// As [`inode`], in the text of one of the kernel's tables: local and remote address in columns 1 and 2, the inode in 9.
fn find_inode(table: &str, from: u16, to: u16) -> Option<String> {
    let port = |address: &str| u16::from_str_radix(address.rsplit(':').next()?, 16).ok();
    table.lines().skip(1).find_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let is_it = port(columns.get(1)?)? == from && port(columns.get(2)?)? == to;
        columns.get(9).filter(|inode| is_it && **inode != "0").map(|inode| (*inode).to_owned())
    })
}

fn holds(id: u32, socket: &str) -> bool {
    let files = fs::read_dir(format!("/proc/{id}/fd")).into_iter().flatten().flatten();
    files.map(|file| file.path()).any(|path| fs::read_link(path).is_ok_and(|link| link == Path::new(socket)))
}

fn function(id: u32) -> Option<String> {
    variable(id, "AWS_LAMBDA_FUNCTION_NAME=")
}

/// The key with which it signs its requests.
pub(super) fn secret(process: &Process) -> Option<String> {
    variable(process.id, "AWS_SECRET_ACCESS_KEY=")
}

fn variable(id: u32, name: &str) -> Option<String> {
    let environment = fs::read(format!("/proc/{id}/environ")).ok()?;
    let value = environment.split(|byte| *byte == 0).find_map(|line| line.strip_prefix(name.as_bytes()))?;
    Some(String::from_utf8_lossy(value).into_owned())
}

/// Ends it at once.
pub(super) fn kill(process: &Process) -> bool {
    signal(process, "-KILL")
}

/// Makes it stand still.
pub(super) fn stop(process: &Process) -> bool {
    signal(process, "-STOP")
}

/// Only a process that still is this function's: ids are given out again.
fn signal(process: &Process, signal: &str) -> bool {
    function(process.id).as_deref() == Some(process.function.as_str())
        && Command::new("kill").args([signal, &process.id.to_string()]).status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_found_by_its_two_ports() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             0: 0100007F:11D6 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 31 1 0\n\
             1: 0100007F:11D6 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 32 1 0\n\
             2: 0100007F:C350 0100007F:11D6 01 00000000:00000000 00:00000000 00000000     0        0 33 1 0\n";
        assert_eq!(find_inode(table, 50_000, 4_566).as_deref(), Some("33"));
        assert_eq!(find_inode(table, 50_000, 4_567), None);
    }

    #[test]
    fn nobody_is_killed_but_a_function() {
        assert!(!kill(&Process { id: std::process::id(), function: "stack-api".to_owned() }));
    }
}
