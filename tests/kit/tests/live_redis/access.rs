//! How servers are reached: encrypted, by sockets, as users who may not do everything.

use std::path::PathBuf;
use std::time::Duration;

use keystar_extract::{Access, Error, Permission, Read, Redis, RedisScan, ScanOptions, Secret};
use keystar_kit::redis::Redis as Server;
use keystar_kit::redis_tls::Certificates;
use keystar_rdb::{Filter, Kind};

use crate::gathered::Gathered;

fn connect(url: &str, access: &Access) -> Result<Redis, Error> {
    Redis::connect(&url.parse().unwrap(), access)
}

fn gather(redis: &Redis, options: ScanOptions) -> Result<Gathered, Error> {
    Gathered::all_of(&mut RedisScan::open(redis, options)?)
}

/// The error and its causes, as a program prints them.
fn told(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[test]
fn encrypted_connections_are_trusted_by_certificates() {
    let made = Certificates::make().unwrap();
    let server = made.serve("server", true).unwrap();
    server.connect().unwrap().command(&["SET", "k", "v"]).unwrap();
    let url = server.url();
    assert!(url.starts_with("rediss://"));
    let trusting = Access::default().with_ca(made.path("ca.crt"));
    let known = trusting.clone().with_certificate(made.path("client.crt"), made.path("client.key"));
    let redis = connect(&url, &known).unwrap();
    assert_eq!(gather(&redis, ScanOptions::default()).unwrap().records.len(), 1);

    // The name that is asked for is the one that the certificate has to have.
    let named = known.clone().with_server_name("localhost".to_owned());
    connect(&url, &named).unwrap();
    let error = connect(&url, &known.clone().with_server_name("other".to_owned())).unwrap_err();
    assert!(matches!(error, Error::Tls { .. }), "{}", told(&error));
    assert!(told(&error).contains("not valid for name"), "{}", told(&error));

    // Without our CA, and without a certificate of ours.
    let stranger = Access::default().with_ca(made.path("client.crt"));
    let error = connect(&url, &stranger).unwrap_err();
    assert!(matches!(error, Error::Tls { .. }), "{}", told(&error));
    let error = connect(&url, &trusting).unwrap_err();
    assert!(told(&error).to_lowercase().contains("certificate"), "{}", told(&error));
    let error = connect(&url, &trusting.clone().with_ca(PathBuf::from("/none.pem"))).unwrap_err();
    assert!(matches!(error, Error::Certificate { .. }), "{}", told(&error));
}

#[test]
fn an_expired_certificate_is_told_as_such() {
    let made = Certificates::make().unwrap();
    let server = made.serve("expired", false).unwrap();
    let access = Access::default().with_ca(made.path("ca.crt"));
    let error = connect(&server.url(), &access).unwrap_err();
    assert!(matches!(error, Error::Tls { .. }), "{}", told(&error));
    assert!(told(&error).to_lowercase().contains("expired"), "{}", told(&error));
    assert!(error.hint().unwrap().contains("expired"));
    assert!(!error.is_retryable());
}

#[test]
fn a_socket_is_a_server_too() {
    let server = Server::start().unwrap();
    server.connect().unwrap().command(&["MSET", "a", "1", "b", "2"]).unwrap();
    let url = format!("unix://{}", server.socket().display());
    let redis = connect(&url, &Access::default()).unwrap();
    assert_eq!(gather(&redis, ScanOptions::default()).unwrap().records.len(), 2);
}

#[test]
fn users_may_be_refused_and_are_told_what_to_be_granted() {
    let server = Server::start().unwrap();
    let mut connection = server.connect().unwrap();
    connection.command(&["SET", "k", "v"]).unwrap();
    connection.command(&["HSET", "h", "f", "v"]).unwrap();
    for (name, rights) in [
        ("reader", vec!["+@read", "+@connection", "+info"]),
        ("nodump", vec!["+@read", "+@connection", "+info", "-dump"]),
        ("noscan", vec!["+@read", "+@connection", "+info", "-scan"]),
        ("noinfo", vec!["+@read", "+@connection"]),
        ("noexpiry", vec!["+@read", "+@connection", "+info", "-pexpiretime"]),
    ] {
        let mut command = vec!["ACL", "SETUSER", name, "on", ">secret", "~*"];
        command.extend(rights);
        connection.command(&command).unwrap();
    }
    let access = |password: &str| Access::default().with_password(Secret::new(password));
    let as_user = |name: &str| {
        let url = server.url().replace("redis://", &format!("redis://{name}@"));
        connect(&url, &access("secret")).unwrap()
    };
    for name in ["reader", "noinfo", "noexpiry"] {
        let found = gather(&as_user(name), ScanOptions::default()).unwrap();
        assert_eq!(found.records.len(), 2, "{name}");
    }
    for (name, command) in [("nodump", "DUMP"), ("noscan", "SCAN")] {
        let error = gather(&as_user(name), ScanOptions::default()).unwrap_err();
        assert!(matches!(&error, Error::Forbidden { command: found, .. } if found == command));
        let hint = error.hint().unwrap();
        assert!(hint.contains(&format!("+{}", command.to_lowercase())), "{hint}");
    }
    let typed = ScanOptions::default().with_read(Read::Typed);
    assert_eq!(gather(&as_user("nodump"), typed).unwrap().records.len(), 2);

    let facts = as_user("nodump").facts().unwrap();
    let node = &facts.nodes[0];
    assert!(matches!(node.commands["DUMP"], Permission::Denied(_)), "{:?}", node.commands);
    assert_eq!(node.commands["SCAN"], Permission::Granted);
    assert_eq!(node.commands["JSON.GET"], Permission::Missing);
    assert!(node.replica_buffer.is_err(), "CONFIG is not granted");
    let facts = connect(&server.url(), &Access::default()).unwrap().facts().unwrap();
    let node = &facts.nodes[0];
    assert_eq!(node.commands["PSYNC"], Permission::Granted, "{:?}", node.commands);
    assert_eq!(node.replica_buffer, Ok((268_435_456, 67_108_864, 60)));
    assert_eq!(node.server.as_deref(), Ok("Redis"));
    assert_eq!(node.databases.as_ref().unwrap().values().map(|db| db.keys).sum::<u64>(), 2);

    // A wrong password, and none where one is needed.
    let url = server.url().replace("redis://", "redis://reader@");
    let error = connect(&url, &access("wrong")).unwrap_err();
    assert!(matches!(error, Error::Login { .. }), "{}", told(&error));
    assert!(!told(&error).contains("wrong"), "{}", told(&error));
    connection.command(&["CONFIG", "SET", "requirepass", "secret"]).unwrap();
    let error = connect(&server.url(), &Access::default()).unwrap_err();
    assert!(matches!(error, Error::Login { .. }), "{}", told(&error));
    assert!(connect(&server.url(), &access("secret")).is_ok());
}

#[test]
fn filters_are_left_to_the_server_where_they_are_exact() {
    let server = Server::start().unwrap();
    let mut connection = server.connect().unwrap();
    for n in 0..1000 {
        connection.command(&["SET", &format!("s:{n}"), "v"]).unwrap();
        connection.command(&["HSET", &format!("h:{n}"), "f", "v"]).unwrap();
    }
    let redis = connect(&server.url(), &Access::default()).unwrap();
    let with = |filter| gather(&redis, ScanOptions::default().with_filter(filter)).unwrap();
    let found = with(Filter::new().with_match("h:*").with_kinds([Kind::Hash]));
    assert_eq!((found.records.len(), found.skipped.get("filter")), (1000, None));
    let found = with(Filter::new().with_match("h:1*").with_match("s:2*"));
    assert_eq!(found.records.len(), 111 + 111);
    let found = with(Filter::new().with_kinds([Kind::Hash, Kind::List]));
    assert_eq!((found.records.len(), found.skipped.get("filter")), (1000, Some(&1000)));
}

#[test]
fn what_does_not_answer_is_told() {
    let error = connect("redis://127.0.0.1:1", &Access::default()).unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{}", told(&error));
    assert!(error.is_retryable());
    let server = Server::start().unwrap();
    let access = Access::default().with_ca(Certificates::make().unwrap().path("ca.crt"));
    // The CA's file is gone with its folder; a port that does not speak TLS is another matter.
    let error = connect(&server.url().replace("redis:", "rediss:"), &access).unwrap_err();
    assert!(matches!(error, Error::Certificate { .. }), "{}", told(&error));
    let made = Certificates::make().unwrap();
    let access = Access::default()
        .with_ca(made.path("ca.crt"))
        .with_connect_timeout(Duration::from_millis(500));
    let error = connect(&server.url().replace("redis:", "rediss:"), &access).unwrap_err();
    assert!(matches!(error, Error::Tls { .. } | Error::Connect { .. }), "{}", told(&error));
}
