//! Servers that mean harm, on bare sockets: slow, endless, lying about lengths, leading elsewhere. A call ends in time, holds little
//! memory, and reaches nobody it should not.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::testing::{Reply, Server, settings};

const SITE: Site = Site { provider: ProviderId::GoogleDrive, hosts: &["www.googleapis.com"], storage: &[".example"] };
const API: &str = "https://www.googleapis.com";
/// So short that a test ends, so long that a busy machine does not end it by itself.
const SHORT: Duration = Duration::from_millis(400);
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";

/// A server that does this with every connection, once the request's head has come.
async fn server<F: Future<Output = std::io::Result<()>> + Send>(
    answer: impl Fn(TcpStream) -> F + Send + Sync + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = Arc::clone(&answer);
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                answer(stream).await
            });
        }
    });
    format!("http://{address}")
}

/// A listener that nobody may reach; it counts who does.
async fn trap() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, reached) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&reached);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    (address, reached)
}

fn patient(patience: Patience) -> Http {
    Http::with(SystemClock::shared(), patience, system_names())
}

async fn call(http: &Http, to: &str) -> Result<Answer, Kind> {
    let (token, url) = ("canary-token".into(), Url::parse(&format!("{API}/x")).unwrap());
    http.send(SITE, &settings(&[(API, to)]), Call::get(url, &token)).await.map_err(|error| error.kind)
}

async fn fetch(http: &Http, to: &str, limit: u64) -> Result<Download, Kind> {
    let (token, url) = ("canary-token".into(), Url::parse(&format!("{API}/file")).unwrap());
    http.download(SITE, &settings(&[(API, to)]), Call::get(url, &token), limit).await.map_err(|error| error.kind)
}

/// Ends as unavailable, and far sooner than the limits that were not shortened.
async fn ends(patience: Patience, to: &str) {
    let started = Instant::now();
    assert_eq!(call(&patient(patience), to).await.unwrap_err(), Kind::Unavailable);
    assert_eq!(fetch(&patient(patience), to, 1_000_000).await.unwrap_err(), Kind::Unavailable);
    assert!(started.elapsed() < PATIENCE.read, "{:?}", started.elapsed());
}

#[tokio::test]
async fn guarantee_18_a_head_that_trickles_or_never_comes_ends_by_the_read_limit_or_the_deadline() {
    let silent = server(|stream| async move {
        tokio::time::sleep(Duration::from_secs(3600)).await;
        drop(stream);
        Ok(())
    })
    .await;
    ends(Patience { read: SHORT, ..PATIENCE }, &silent).await;
    let trickling = server(|mut stream| async move {
        for byte in HEAD.iter().cycle() {
            stream.write_all(&[*byte]).await?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    })
    .await;
    ends(Patience { call: SHORT, file: SHORT, ..PATIENCE }, &trickling).await;
}

#[tokio::test]
async fn guarantee_18_a_patient_call_bears_silence_up_to_its_deadline_alone() {
    let late = server(|mut stream| async move {
        tokio::time::sleep(SHORT * 3).await;
        stream.write_all(&[HEAD, b"content-length: 2\r\n\r\n"].concat()).await?;
        tokio::time::sleep(SHORT * 3).await;
        stream.write_all(b"{}").await
    })
    .await;
    let patiently = async |patience| {
        let (token, url) = ("canary-token".into(), Url::parse(&format!("{API}/x")).unwrap());
        let call = Call::get(url, &token);
        let answer = patient(patience).send_patiently(SITE, &settings(&[(API, &late)]), call).await;
        answer.map(|answer| answer.body).map_err(|error| error.kind)
    };
    assert_eq!(call(&patient(Patience { read: SHORT, ..PATIENCE }), &late).await.unwrap_err(), Kind::Unavailable);
    assert_eq!(patiently(Patience { read: SHORT, ..PATIENCE }).await.unwrap(), b"{}");
    assert_eq!(patiently(Patience { call: SHORT, ..PATIENCE }).await.unwrap_err(), Kind::Unavailable);
}

#[tokio::test]
async fn guarantee_18_endless_headers_are_cut_off() {
    let endless = server(|mut stream| async move {
        stream.write_all(HEAD).await?;
        loop {
            stream.write_all(&b"x-more: of the same, and more, and more\r\n".repeat(1000)).await?;
        }
    })
    .await;
    let started = Instant::now();
    assert_eq!(call(&patient(PATIENCE), &endless).await.unwrap_err(), Kind::Unavailable);
    assert!(started.elapsed() < PATIENCE.read);
}

#[tokio::test]
async fn guarantee_18_an_endless_body_costs_no_more_memory_or_disk_than_the_limit() {
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let endless = server(move |mut stream| {
        let count = Arc::clone(&count);
        async move {
            stream.write_all(&[HEAD, b"connection: close\r\n\r\n"].concat()).await?;
            let piece = vec![b' '; 64 * 1024];
            loop {
                stream.write_all(&piece).await?;
                count.fetch_add(piece.len(), Ordering::SeqCst);
            }
        }
    })
    .await;
    let http = patient(PATIENCE);
    // What was sent beyond the limit lay in the sockets; nothing of it was taken.
    let sockets = 12 * 1024 * 1024;
    assert!(matches!(call(&http, &endless).await.unwrap_err(), Kind::Malformed(_)));
    assert!(sent.swap(0, Ordering::SeqCst) < BODY_BYTES + sockets);
    assert!(matches!(fetch(&http, &endless, 1_000_000).await.unwrap_err(), Kind::TooLarge(_)));
    assert!(sent.load(Ordering::SeqCst) < 1_000_000 + sockets);
}

#[tokio::test]
async fn guarantee_18_a_body_of_another_length_than_announced_is_no_body() {
    let raw = async |rest: &'static [u8]| {
        server(move |mut stream| async move { stream.write_all(&[HEAD, rest].concat()).await }).await
    };
    for rest in [
        &b"content-length: 20\r\n\r\n{}"[..],
        b"content-length: 2\r\ncontent-length: 9\r\n\r\n{}",
        b"content-length: -2\r\n\r\n{}",
        b"content-length: two\r\n\r\n{}",
        b"transfer-encoding: chunked\r\n\r\n9\r\n{}\r\n0\r\n\r\n",
        b"transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n",
        b"content-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}",
    ] {
        let to = raw(rest).await;
        assert_eq!(call(&patient(PATIENCE), &to).await.unwrap_err(), Kind::Unavailable, "{}", rest.escape_ascii());
    }
    assert_eq!(call(&patient(PATIENCE), &raw(b"content-length: 2\r\n\r\n{}").await).await.unwrap().body, b"{}");
}

#[tokio::test]
async fn guarantee_18_a_call_that_hangs_holds_up_no_other() {
    let http = patient(PATIENCE);
    let hanging = server(|stream| async move {
        tokio::time::sleep(Duration::from_secs(3600)).await;
        drop(stream);
        Ok(())
    })
    .await;
    let stuck: Vec<_> = (0..50)
        .map(|_| {
            let (http, to) = (http.clone(), hanging.clone());
            tokio::spawn(async move { call(&http, &to).await.map(|answer| answer.status) })
        })
        .collect();
    let good = Server::start(|_| Reply::json(200, "{}")).await;
    for _ in 0..20 {
        assert_eq!(call(&http, good.url()).await.unwrap().status, 200);
    }
    assert!(stuck.iter().all(|call| !call.is_finished()));
}

#[tokio::test]
async fn guarantee_17_no_name_no_handshake_and_no_answer_are_an_outage() {
    let nameless = Http::with(
        SystemClock::shared(),
        PATIENCE,
        Arc::new(|_| Box::pin(async { Err(std::io::Error::other("no such name")) })),
    );
    assert_eq!(call(&nameless, "https://nowhere.example").await.unwrap_err(), Kind::Unavailable);
    let unknown = Http::with(SystemClock::shared(), PATIENCE, Arc::new(|_| Box::pin(async { Ok(Vec::new()) })));
    assert_eq!(call(&unknown, "https://nowhere.example").await.unwrap_err(), Kind::Unavailable);
    let plain = server(|mut stream| async move { stream.write_all(b"this is no handshake").await }).await;
    let tls = plain.replace("http:", "https:");
    assert_eq!(call(&patient(PATIENCE), &tls).await.unwrap_err(), Kind::Unavailable);
    let reset = server(|stream| async move { stream.set_zero_linger() }).await;
    assert_eq!(call(&patient(PATIENCE), &reset).await.unwrap_err(), Kind::Unavailable);
}

#[tokio::test]
async fn guarantee_35_a_name_that_comes_to_lead_home_is_caught_where_the_connection_is_made() {
    // The name passed every check of the URL. By the time of the connection it leads to this machine, port and all.
    let (home, reached) = trap().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let rebound: Names = Arc::new(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move { Ok(vec![home]) })
    });
    let http = Http::with(SystemClock::shared(), PATIENCE, rebound);
    let token = "canary-token".into();
    let mut refused = Vec::new();
    for url in [format!("{API}/x"), format!("{API}./x")] {
        let call = Call::get(Url::parse(&url).unwrap(), &token);
        refused.push(http.send(SITE, &settings(&[]), call).await.unwrap_err().kind);
    }
    assert_eq!(refused, vec![Kind::AddressRefused(Refused.to_string()); 2]);
    assert_eq!(asked.load(Ordering::SeqCst), 2, "looked up once for each connection");
    assert_eq!(reached.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn guarantee_35_no_redirect_leads_to_an_address_of_ours_or_out_of_the_web() {
    let (home, reached) = trap().await;
    let (http, port) = (patient(PATIENCE), home.port());
    for to in [
        format!("http://127.0.0.1:{port}/"),
        format!("https://127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://0x7f000001:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://127.1:{port}/"),
        format!("http://0:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("//127.0.0.1:{port}/"),
        format!("https://www.googleapis.com@127.0.0.1:{port}/"),
        format!("https://127.0.0.1:{port}\\@www.googleapis.com/"),
        format!("https://127。0。0。1:{port}/"),
        "http://169.254.169.254/latest/meta-data/iam/security-credentials/".to_owned(),
        "http://[fd00:ec2::254]/latest/meta-data/".to_owned(),
        "https://[fd12::1]/".to_owned(),
        "file:///etc/passwd".to_owned(),
        "gopher://127.0.0.1/".to_owned(),
        "data:text/plain,x".to_owned(),
    ] {
        let location = to.clone();
        let server = Server::start(move |_| Reply::redirect(302, &location)).await;
        match fetch(&http, server.url(), 1_000).await {
            Err(Kind::AddressRefused(_)) => {}
            // A header that is no text leads nowhere: the redirect itself is the answer.
            Ok(Download::Refused(answer)) => assert_eq!(answer.status, 302, "{to}"),
            other => panic!("{to}: {other:?}"),
        }
        assert_eq!(server.seen().len(), 1, "{to}");
    }
    assert_eq!(reached.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn guarantee_36_the_token_goes_to_the_first_host_alone_whatever_the_status_of_the_redirect() {
    for status in [301, 302, 303, 307, 308] {
        let second = Server::start(|_| Reply::bytes(b"content")).await;
        let to = format!("{}/second", second.url());
        let first = Server::start(move |_| Reply::redirect(status, &to)).await;
        let token = "canary-token".into();
        let mapped = settings(&[(API, first.url()), ("https://storage.example", second.url())]);
        let call = Call::get(Url::parse(&format!("{API}/file")).unwrap(), &token);
        assert!(matches!(patient(PATIENCE).download(SITE, &mapped, call, 1_000).await.unwrap(), Download::File(_)));
        assert_eq!(first.seen()[0].headers["authorization"], "Bearer canary-token");
        let seen = second.seen();
        let said = format!("{:?} {:?} {:?}", seen[0].headers, seen[0].query, seen[0].body);
        assert!(!said.contains("canary") && seen[0].method == "GET" && !said.contains("referer"), "{status}: {said}");
    }
}
