//! Deployments in which everybody speaks TLS and shows a certificate: clusters, Sentinels, snapshots; read by users
//! who may do what the guide grants them.

use std::path::Path;

use futures_executor::block_on;
use keystar_extract::{Access, Batch, Error, Read, Redis, RedisScan, ScanOptions, Secret, Source};
use keystar_kit::redis::Redis as Server;
use keystar_kit::redis_cluster::Cluster;
use keystar_kit::redis_sentinel::Watched;
use keystar_kit::redis_tls::Certificates;

use crate::gathered::{Gathered, all_saved, saved, snapshot};
use crate::standalone::filled;

const KEYS: usize = 6000;
/// What docs/guides/migrate-a-live-redis.md grants for a scan, of a cluster too, and for a snapshot.
const SCAN: &str = "+scan +dump +memory|usage +pexpiretime +pttl +type +exists +strlen +getrange +lrange +hscan +sscan \
                    +zscan +xrange +xinfo|stream +xpending +select +info +time +module|list +client|setname \
                    +acl|whoami +cluster|slots +cluster|nodes +cluster|countkeysinslot +cluster|getkeysinslot +asking \
                    +readonly";
const SNAPSHOT: &str = "+psync +replconf +info +client|setname +acl|whoami +acl|dryrun +command|info +module|list \
                        +config|get +cluster|slots";

fn names() -> impl Iterator<Item = String> {
    (0..KEYS).map(|n| format!("key:{n}"))
}

/// Our CA, our certificate, and the password of [`users`].
fn access(made: &Certificates) -> Access {
    let password = Secret::new("secret");
    Access::default()
        .with_ca(made.path("ca.crt"))
        .with_certificate(made.path("client.crt"), made.path("client.key"))
        .with_password(password)
}

/// Makes the users `scanner` and `snapper`.
fn users(servers: &[Server]) {
    for server in servers {
        let mut connection = server.connect().unwrap();
        for (name, rights) in [("scanner", SCAN), ("snapper", SNAPSHOT)] {
            let mut command = vec!["ACL", "SETUSER", name, "on", ">secret", "~*"];
            command.extend(rights.split_whitespace());
            connection.command(&command).unwrap();
        }
    }
}

fn connect(url: &str, user: &str, access: &Access) -> Result<Redis, Error> {
    Redis::connect(&url.parse().unwrap(), &access.clone().with_user(user.to_owned()))
}

fn gather(redis: &Redis, options: ScanOptions) -> Gathered {
    Gathered::all_of(&mut RedisScan::open(redis, options).unwrap()).unwrap()
}

fn told(error: &Error) -> String {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    format!("{error}: {}", cause.unwrap_or_default())
}

#[test]
fn an_encrypted_cluster_is_read_by_scan_by_type_and_by_snapshot() {
    let made = Certificates::make().unwrap();
    let cluster = Cluster::encrypted(1, &made, "server", &[]).unwrap();
    cluster.fill(names()).unwrap();
    users(&cluster.nodes);
    let expected = all_saved(&cluster.nodes[..3]);
    assert_eq!(expected.records.len(), KEYS);
    let (url, access) = (cluster.url(), access(&made));
    assert!(url.starts_with("rediss://"), "{url}");

    let redis = connect(&url, "scanner", &access).unwrap();
    let found = gather(&redis, ScanOptions::default());
    found.assert_same(&expected);
    assert_eq!(found.repeats, 0);
    gather(&redis, ScanOptions::default().with_read(Read::Typed)).assert_same(&expected);
    snapshot(&connect(&url, "snapper", &access).unwrap()).assert_same(&expected);

    // Of the replicas as well.
    let access = access.with_replicas(true);
    let redis = connect(&url, "scanner", &access).unwrap();
    gather(&redis, ScanOptions::default()).assert_same(&expected);
    snapshot(&connect(&url, "snapper", &access).unwrap()).assert_same(&expected);

    // Who shows no certificate is sent away by the server, and is told so.
    let nobody = Access::default().with_ca(made.path("ca.crt"));
    let error = connect(&url, "scanner", &nobody).unwrap_err();
    assert!(told(&error).to_lowercase().contains("certificate"), "{}", told(&error));
}

#[test]
fn a_failover_of_an_encrypted_cluster_loses_nothing() {
    let made = Certificates::make().unwrap();
    let mut cluster = Cluster::encrypted(1, &made, "server", &[]).unwrap();
    cluster.fill(names()).unwrap();
    users(&cluster.nodes);
    for primary in &cluster.nodes[..3] {
        primary.connect().unwrap().command(&["WAIT", "1", "5000"]).unwrap();
    }
    let expected = all_saved(&cluster.nodes[..3]);
    let redis = connect(&cluster.url(), "scanner", &access(&made)).unwrap();
    let slow = ScanOptions::default().with_batch_bytes(500).with_keys_per_second(15_000);
    let mut source = RedisScan::open(&redis, slow).unwrap();
    let (mut found, mut batch, mut failed) = (Gathered::default(), Batch::new(), false);
    while block_on(source.fill(&mut batch)).unwrap() {
        found.take(&batch);
        if found.batches == 20 {
            cluster.fail_over(0).unwrap();
            failed = true;
        }
    }
    assert!(failed);
    assert!(found.warnings.iter().any(|text| text.contains("began again")), "{:?}", found.warnings);
    found.assert_same(&expected);
    // The replica that took its place gives its snapshot, too; any node says where it is.
    let url = cluster.nodes[1].url();
    snapshot(&connect(&url, "snapper", &access(&made)).unwrap()).assert_same(&expected);
}

/// The certificate of these nodes is good for a name, and not for an address: so it matters by which of them the
/// cluster tells its nodes.
#[test]
fn nodes_are_known_by_the_names_that_they_announce() {
    let made = Certificates::make().unwrap();
    let names_told = [
        "--cluster-announce-hostname",
        "localhost",
        "--cluster-preferred-endpoint-type",
        "hostname",
    ];
    let cluster = Cluster::encrypted(0, &made, "named", &names_told).unwrap();
    cluster.fill(names()).unwrap();
    users(&cluster.nodes);
    let expected = all_saved(&cluster.nodes);
    let url = cluster.url().replace("127.0.0.1", "localhost");
    let access = access(&made);
    let prefer = |endpoint: &str| {
        for node in &cluster.nodes {
            let command = ["CONFIG", "SET", "cluster-preferred-endpoint-type", endpoint];
            node.connect().unwrap().command(&command).unwrap();
        }
    };
    for endpoint in ["hostname", "unknown-endpoint"] {
        prefer(endpoint);
        let redis = connect(&url, "scanner", &access).unwrap();
        gather(&redis, ScanOptions::default()).assert_same(&expected);
        snapshot(&connect(&url, "snapper", &access).unwrap()).assert_same(&expected);
    }

    prefer("ip");
    let redis = connect(&url, "scanner", &access).unwrap();
    let error = RedisScan::open(&redis, ScanOptions::default()).unwrap_err();
    assert!(matches!(error, Error::Tls { .. }), "{}", told(&error));
    assert!(told(&error).contains("not valid for name"), "{}", told(&error));
    // Unless the name to be expected is given.
    let named = access.with_server_name("localhost".to_owned());
    let redis = connect(&cluster.url(), "scanner", &named).unwrap();
    gather(&redis, ScanOptions::default()).assert_same(&expected);
}

/// Sentinels know the servers by name, which is what the certificates are good for.
#[test]
fn encrypted_sentinels_are_asked_and_a_failover_is_followed() {
    let made = Certificates::make().unwrap();
    let mut watched = Watched::encrypted(&made, "named").unwrap();
    let mut connection = watched.servers[0].connect().unwrap();
    for name in names() {
        connection.command(&["SET", &name, &format!("value of {name}")]).unwrap();
    }
    connection.command(&["WAIT", "1", "5000"]).unwrap();
    users(&watched.servers);
    let expected = saved(&watched.servers[0]);
    let url = watched.url().replace("127.0.0.1", "localhost");
    assert!(url.starts_with("rediss+sentinel://"), "{url}");
    let access = access(&made);
    snapshot(&connect(&url, "snapper", &access).unwrap()).assert_same(&expected);
    snapshot(&connect(&url, "snapper", &access.clone().with_replicas(true)).unwrap())
        .assert_same(&expected);

    let redis = connect(&url, "scanner", &access).unwrap();
    let slow = ScanOptions::default().with_batch_bytes(500).with_keys_per_second(6000);
    let mut source = RedisScan::open(&redis, slow).unwrap();
    let (mut found, mut batch, mut killed) = (Gathered::default(), Batch::new(), false);
    while block_on(source.fill(&mut batch)).unwrap() {
        found.take(&batch);
        if !killed && found.records.len() > 200 {
            killed = true;
            watched.servers[0].kill().unwrap();
        }
    }
    assert!(killed);
    found.assert_same(&expected);

    // The Sentinels' own addresses are held against their certificates, too.
    let error = connect(&watched.url(), "scanner", &access).unwrap_err();
    assert!(told(&error).contains("not valid for name"), "{}", told(&error));
}

#[test]
fn a_snapshot_comes_encrypted_and_by_a_socket() {
    let made = Certificates::make().unwrap();
    // All types and encodings.
    let plain = filled(3000);
    let file = plain.save().unwrap();
    let arguments = |_: &Path| Ok(made.arguments("server", true));
    let server = Server::start_with(Path::new("redis-server"), Some(&file), arguments).unwrap();
    users(std::slice::from_ref(&server));
    let expected = saved(&server);
    assert!(expected.records.len() > 2500, "{}", expected.records.len());
    let access = access(&made);
    let socket = format!("unix://{}", server.socket().display());
    for url in [server.url(), socket] {
        snapshot(&connect(&url, "snapper", &access).unwrap()).assert_same(&expected);
        let redis = connect(&url, "scanner", &access).unwrap();
        gather(&redis, ScanOptions::default()).assert_same(&expected);
        let error =
            RedisScan::open(&connect(&url, "snapper", &access).unwrap(), ScanOptions::default())
                .and_then(|mut scan| Gathered::all_of(&mut scan))
                .unwrap_err();
        assert!(matches!(error, Error::Forbidden { .. }), "{}", told(&error));
    }
}
