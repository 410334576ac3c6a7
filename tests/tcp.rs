//! Scanners on the network at the real daemon: both directions, the allow list, and peers that go away in every way.
#![cfg(test)]

mod support;

use socket2::{Domain, SockAddr, Socket, Type};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;
use support::station::Station;
use support::{BAD, DEADLINE, GOOD, eventually, frames, payload};

/// A port that nobody has.
fn free() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

/// A station that listens, and lets these in.
fn listening(allow: &str) -> (Station, SocketAddr) {
    let station = Station::new("");
    let address = free();
    station.add(&format!(
        "[[scanner]]\nname = 'tunnel'\nprofile = 'generic-tcp'\nlisten = '{address}'\n{allow}"
    ));
    station.import(1_000);
    (station, address)
}

/// A connection from this address.
fn connect(from: Ipv4Addr, to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SockAddr::from(SocketAddr::from((from, 0)))).unwrap();
    socket.connect_timeout(&SockAddr::from(to), DEADLINE).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

fn ask(stream: &mut TcpStream, line: &[u8], n: usize) -> Vec<u8> {
    stream.write_all(line).unwrap();
    let mut answers = vec![0; n];
    stream.read_exact(&mut answers).unwrap();
    answers
}

#[test]
fn whoever_is_not_on_the_list_is_turned_away() {
    let (station, address) = listening("allow = ['127.0.0.2']");
    let daemon = station.start();
    let mut stranger = connect(Ipv4Addr::LOCALHOST, address);
    let end = stranger.read(&mut [0]).map_err(|error| error.kind());
    assert!(matches!(end, Ok(0) | Err(ErrorKind::ConnectionReset)), "{end:?}");
    let mut scanner = connect(Ipv4Addr::new(127, 0, 0, 2), address);
    assert_eq!(ask(&mut scanner, &frames([1]), 1), [GOOD]);
    assert_eq!(station.logged("ConnectionRefused"), 1);
    daemon.stop();
    assert_eq!(station.look().scans().len(), 1);
}

/// The scanner waited behind every stranger, and each was a line of log.
#[test]
fn any_number_of_strangers_keeps_no_scanner_out_and_fills_no_log() {
    let (station, address) = listening("allow = ['127.0.0.2']");
    let daemon = station.start();
    let strangers: Vec<_> = (0..100).map(|_| connect(Ipv4Addr::LOCALHOST, address)).collect();
    let mut scanner = connect(Ipv4Addr::new(127, 0, 0, 2), address);
    assert_eq!(ask(&mut scanner, &frames([1]), 1), [GOOD]);
    drop(strangers);
    daemon.stop();
    let logged = station.logged("ConnectionRefused");
    assert!((1..=10).contains(&logged), "{logged}");
}

#[test]
fn a_peer_that_resets_in_the_middle_of_a_frame_costs_no_scan() {
    let (station, address) = listening("");
    let daemon = station.start();
    let mut scanner = connect(Ipv4Addr::LOCALHOST, address);
    assert_eq!(ask(&mut scanner, &frames([1]), 1), [GOOD]);
    scanner.write_all(&payload(2).as_bytes()[..9]).unwrap();
    socket2::SockRef::from(&scanner).set_linger(Some(Duration::ZERO)).unwrap();
    drop(scanner);
    eventually("the loss of the scanner", || station.logged("ScannerLost") == 1);
    let mut scanner = connect(Ipv4Addr::LOCALHOST, address);
    assert_eq!(ask(&mut scanner, &[&payload(2).as_bytes()[9..], b"\r"].concat(), 1), [BAD]);
    assert_eq!(ask(&mut scanner, &frames([2]), 1), [GOOD]);
    daemon.stop();
    let verdicts: Vec<_> = station.look().verdicts().into_iter().map(|(_, v)| v).collect();
    assert_eq!(verdicts, ["received", "unreadable", "received"]);
}

#[test]
fn all_that_a_peer_sent_before_it_hung_up_is_scanned_and_answered() {
    let (station, address) = listening("");
    let daemon = station.start();
    let mut scanner = connect(Ipv4Addr::LOCALHOST, address);
    scanner.write_all(&frames(0..1_000)).unwrap();
    scanner.shutdown(Shutdown::Write).unwrap();
    let mut answers = Vec::new();
    scanner.read_to_end(&mut answers).unwrap();
    assert_eq!(answers, [GOOD; 1_000]);
    daemon.stop();
    assert_eq!(station.look().received().len(), 1_000);
}

#[test]
fn all_that_came_before_a_peer_closed_without_reading_is_scanned() {
    let (station, address) = listening("");
    let daemon = station.start();
    let mut scanner = connect(Ipv4Addr::LOCALHOST, address);
    scanner.write_all(&frames(0..1_000)).unwrap();
    drop(scanner);
    eventually("the scans", || station.look().scans().len() == 1_000);
    daemon.stop();
    assert_eq!(station.look().received().len(), 1_000);
}

#[test]
fn a_scanner_that_is_connected_to_is_connected_to_again() {
    let station = Station::new("");
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = server.local_addr().unwrap();
    station.add(&format!(
        "[[scanner]]\nname = 'tunnel'\nprofile = 'generic-tcp'\nconnect = '{address}'"
    ));
    station.import(10);
    let daemon = station.start();
    for ballot in 0..3 {
        let (mut scanner, _) = server.accept().unwrap();
        scanner.set_read_timeout(Some(DEADLINE)).unwrap();
        assert_eq!(ask(&mut scanner, &frames([ballot]), 1), [GOOD]);
    }
    daemon.stop();
    assert_eq!(station.look().received().len(), 3);
}
