//! What is called and what is not, what follows a redirect, and what ends a call.

use super::*;
use crate::testing::{Reply, Server, settings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const SITE: Site = Site { provider: ProviderId::GoogleDrive, hosts: &["www.googleapis.com"], storage: &[] };
const API: &str = "https://www.googleapis.com";

fn token() -> SecretString {
    "canary-token".into()
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

/// A server that answers these raw bytes to any request, then closes.
async fn raw(answer: Vec<u8>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(&answer).await;
        }
    });
    format!("http://{address}")
}

async fn send(settings: &ProviderSettings, to: &str) -> Result<Answer, ProviderError> {
    Http::new().send(SITE, settings, Call::get(url(to), &token())).await
}

async fn download(settings: &ProviderSettings, limit: u64) -> Result<Download, ProviderError> {
    Http::new().download(SITE, settings, Call::get(url(&format!("{API}/file")), &token()), limit).await
}

#[tokio::test]
async fn a_call_goes_where_the_operator_maps_it_with_its_token() {
    let server = Server::start(|_| Reply::json(200, r#"{"ok":true}"#)).await;
    let answer = send(&settings(&[(API, server.url())]), &format!("{API}/a?b=c")).await.unwrap();
    assert_eq!(answer.body, br#"{"ok":true}"#);
    let seen = server.seen();
    assert_eq!((seen[0].path.as_str(), seen[0].query["b"].as_str()), ("/a", "c"));
    assert_eq!(seen[0].headers["authorization"], "Bearer canary-token");
}

#[tokio::test]
async fn guarantee_35_an_address_that_nobody_named_is_never_connected_to() {
    let server = Server::start(|_| Reply::json(200, "{}")).await;
    let port = server.url().rsplit(':').next().unwrap().to_owned();
    for to in [
        server.url().to_owned(),
        format!("https://127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        format!("http://0x7f000001:{port}/"),
        format!("http://127.1:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("https://www.googleapis.com@127.0.0.1:{port}/"),
    ] {
        let error = send(&settings(&[]), &to).await.unwrap_err();
        assert!(matches!(error.kind, Kind::AddressRefused(_)), "{to}: {error:?}");
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn guarantee_35_an_allowed_name_that_leads_home_is_refused_where_the_connection_is_made() {
    const HOME: Site = Site { provider: ProviderId::GoogleDrive, hosts: &["localhost"], storage: &[] };
    let token = token();
    let call = Call::get(url("https://localhost/"), &token);
    let error = Http::new().send(HOME, &settings(&[]), call).await.unwrap_err();
    assert_eq!(error.kind, Kind::AddressRefused(Refused.to_string()));
}

#[tokio::test]
async fn guarantee_36_a_redirect_of_a_call_is_an_answer_and_is_not_followed() {
    let elsewhere = Server::start(|_| Reply::json(200, "{}")).await;
    let to = elsewhere.url().to_owned();
    let server = Server::start(move |_| Reply::redirect(307, &to)).await;
    let mapped = settings(&[(API, server.url()), ("https://other.example", elsewhere.url())]);
    assert_eq!(send(&mapped, API).await.unwrap().status, 307);
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn guarantee_36_a_redirected_download_goes_on_without_the_token_and_only_to_allowed_hosts() {
    let storage = Server::start(|_| Reply::bytes(b"content")).await;
    let to = format!("{}/blob", storage.url());
    let server = Server::start(move |_| Reply::redirect(302, &to)).await;
    let allowed = settings(&[(API, server.url()), ("https://storage.example", storage.url())]);
    let Download::File(file) = download(&allowed, 100).await.unwrap() else { panic!("refused") };
    assert_eq!(std::fs::read(file.path()).unwrap(), b"content");
    assert!(!storage.seen()[0].headers.contains_key("authorization"));

    let error = download(&settings(&[(API, server.url())]), 100).await.unwrap_err();
    assert!(matches!(error.kind, Kind::AddressRefused(_)), "{error:?}");
    assert_eq!(storage.seen().len(), 1);
}

#[tokio::test]
async fn guarantee_36_hosts_of_files_get_no_credentials() {
    const STORED: Site = Site { provider: ProviderId::GoogleDrive, hosts: &[], storage: &["localhost"] };
    let token = token();
    let kind = async |bearer| {
        let call = Call { bearer, ..Call::get(url("https://localhost/x"), &token) };
        Http::new().send(STORED, &settings(&[]), call).await.unwrap_err().kind
    };
    let foreign = Kind::AddressRefused("localhost is none of the provider's hosts".to_owned());
    assert_eq!(kind(Some(&token)).await, foreign);
    // Without a token the name is allowed, and it is the connection that is refused.
    assert_eq!(kind(None).await, Kind::AddressRefused(Refused.to_string()));
}

#[tokio::test]
async fn guarantee_36_redirects_in_a_circle_end() {
    let server = Server::start(|_| Reply::redirect(302, "/again")).await;
    let Download::Refused(answer) = download(&settings(&[(API, server.url())]), 100).await.unwrap() else {
        panic!("a file")
    };
    assert_eq!(answer.status, 302);
    assert_eq!(server.seen().len(), 1 + HOPS);
}

#[tokio::test]
async fn guarantee_18_half_a_body_is_no_body() {
    let short = raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\nconnection: close\r\n\r\n{\"half\":".to_vec()).await;
    let mapped = settings(&[(API, &short)]);
    assert_eq!(send(&mapped, API).await.unwrap_err().kind, Kind::Unavailable);
    assert_eq!(download(&mapped, 1000).await.unwrap_err().kind, Kind::Unavailable);
    let chunked = raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n".to_vec()).await;
    assert_eq!(download(&settings(&[(API, &chunked)]), 1000).await.unwrap_err().kind, Kind::Unavailable);
}

#[tokio::test]
async fn guarantee_22_a_file_beyond_the_limit_is_refused_whether_announced_or_not() {
    let announced = raw(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n".to_vec()).await;
    let error = download(&settings(&[(API, &announced)]), 5_000_000).await.unwrap_err();
    assert_eq!(error.kind, Kind::TooLarge("files of more than 5 MB are not fetched".to_owned()));
    let endless = raw([b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec(), vec![b'x'; 200]].concat()).await;
    assert!(matches!(download(&settings(&[(API, &endless)]), 100).await.unwrap_err().kind, Kind::TooLarge(_)));
}

#[tokio::test]
async fn guarantee_18_an_answer_beyond_the_limit_is_cut_off() {
    let server = Server::start(|_| Reply::bytes(&vec![b' '; BODY_BYTES + 1])).await;
    let error = send(&settings(&[(API, server.url())]), API).await.unwrap_err();
    assert!(matches!(error.kind, Kind::Malformed(_)), "{error:?}");
}

fn packed(body: &[u8]) -> Reply {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut encoder, body).unwrap();
    Reply::bytes(&encoder.finish().unwrap()).with("content-encoding", "gzip")
}

#[tokio::test]
async fn guarantee_23_a_packed_answer_counts_by_what_it_unpacks_to() {
    let server =
        Server::start(|request| packed(&vec![b' '; if request.path == "/bomb" { BODY_BYTES + 1 } else { 1000 }])).await;
    let mapped = settings(&[(API, server.url())]);
    assert_eq!(send(&mapped, &format!("{API}/good")).await.unwrap().body.len(), 1000);
    assert!(matches!(send(&mapped, &format!("{API}/bomb")).await.unwrap_err().kind, Kind::Malformed(_)));
    assert!(matches!(download(&mapped, 100).await.unwrap_err().kind, Kind::TooLarge(_)));
}

#[tokio::test]
async fn guarantee_18_neither_silence_nor_a_trickle_holds_a_call_for_long() {
    let check = async |patience: Patience, pause: Duration| {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n").await.unwrap();
            while stream.write_all(b" ").await.is_ok() {
                tokio::time::sleep(pause).await;
            }
        });
        let (http, token) = (Http::with(SystemClock::shared(), patience, system_names()), token());
        let started = Instant::now();
        let call = Call::get(url(API), &token);
        let error = http.send(SITE, &settings(&[(API, &address)]), call).await.unwrap_err();
        assert_eq!(error.kind, Kind::Unavailable);
        assert!(started.elapsed() < PATIENCE.read, "ended by its own limit, not by the other's");
    };
    let short = Duration::from_millis(300);
    check(Patience { read: short, ..PATIENCE }, PATIENCE.call).await;
    check(Patience { call: short, ..PATIENCE }, Duration::from_millis(20)).await;
}

#[tokio::test]
async fn guarantee_43_no_error_names_the_token_or_the_query() {
    let closed = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let error = send(&settings(&[(API, &closed)]), &format!("{API}/x?pageToken=canary-page")).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unavailable);
    assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
}
