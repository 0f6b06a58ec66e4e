//! Answers that no server of ours gives when it is asked to, from one that follows a script.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use keystar_extract::{Access, Error, Read, Redis, RedisScan, ScanOptions};
use keystar_rdb::{Field, UnixMillis, Value};

use crate::gathered::Gathered;

/// Serves the one key `k` as long as the test runs, and gives its URL. The script is asked first; what
/// it says nothing to is answered as by a server that knows little.
fn serve(script: impl FnMut(&[String]) -> Option<String> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let script = Arc::new(Mutex::new(script));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, script) = (stream.unwrap(), Arc::clone(&script));
            std::thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                while let Some(Ok(head)) = lines.next() {
                    let count: usize = head.strip_prefix('*').unwrap().parse().unwrap();
                    let words = lines.by_ref().take(2 * count).map(Result::unwrap);
                    let words: Vec<_> = words.skip(1).step_by(2).collect();
                    let told = (*script.lock().unwrap())(&words);
                    let answer = told.unwrap_or_else(|| usual(&words[0]));
                    stream.write_all(answer.as_bytes()).unwrap();
                }
            });
        }
    });
    url
}

fn usual(command: &str) -> String {
    match command {
        "INFO" => bulk("role:master\nrun_id:1\ndb0:keys=1,expires=0\n"),
        "SCAN" => "*2\r\n$1\r\n0\r\n*1\r\n$1\r\nk\r\n".to_owned(),
        "PEXPIRETIME" => ":-1\r\n".to_owned(),
        command => format!("-ERR unknown command '{command}'\r\n"),
    }
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

fn read(url: &str, options: ScanOptions) -> Result<Gathered, Error> {
    let redis = Redis::connect(&url.parse().unwrap(), &Access::default())?;
    Gathered::all_of(&mut RedisScan::open(&redis, options)?)
}

fn typed() -> ScanOptions {
    ScanOptions::default().with_read(Read::Typed)
}

/// The value of the only record.
fn only(found: &Gathered) -> &Value<'static> {
    assert_eq!((found.records.len(), found.failures.len()), (1, 0), "{found:?}");
    &found.records.values().next().unwrap().0
}

#[test]
fn a_key_that_changes_its_type_while_it_is_read_is_read() {
    let mut types = ["+string\r\n", "+hash\r\n"].into_iter();
    let url = serve(move |words| {
        Some(match &*words[0] {
            "TYPE" => types.next().unwrap().to_owned(),
            "GETRANGE" => "-WRONGTYPE Operation against a key\r\n".to_owned(),
            "HSCAN" => "*2\r\n$1\r\n0\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n".to_owned(),
            _ => return None,
        })
    });
    let found = read(&url, typed()).unwrap();
    assert_eq!(*only(&found), Value::Hash(vec![Field::new("f".into(), "v".into())]));
}

/// `SCAN` may tell a key twice: what failed is neither counted again, nor read after all.
#[test]
fn a_key_that_fails_and_is_told_twice_fails_once() {
    let repeats = BTreeMap::from([("repeat", 1)]);
    for (options, kind, detail) in [
        (ScanOptions::default(), "none", "k: "),
        (typed(), "a-module", "k: a value of type a-module is read by DUMP"),
        (typed().with_max_element_bytes(10), "string", "k: an element of 11 bytes exceeds"),
    ] {
        let mut strings = ["x".repeat(11), "x".to_owned()].into_iter();
        let url = serve(move |words| {
            Some(match (&*words[0], words.get(1).map(String::as_str)) {
                ("SCAN", Some("0")) => "*2\r\n$1\r\n1\r\n*1\r\n$1\r\nk\r\n".to_owned(),
                ("TYPE", _) => format!("+{kind}\r\n"),
                ("DUMP", _) => bulk("this is no dump"),
                ("GETRANGE", _) => bulk(&strings.next().unwrap()),
                _ => return None,
            })
        });
        let found = read(&url, options).unwrap();
        assert!(found.records.is_empty(), "{found:?}");
        assert_eq!((found.failures.len(), &found.skipped), (1, &repeats), "{found:?}");
        assert!(found.failures[0].starts_with(detail), "{:?}", found.failures);
    }
}

/// A string is asked for in pieces, and its length after the first of them.
#[test]
fn a_string_that_goes_or_shrinks_between_its_pieces_is_not_cut() {
    for (lengths, second) in [([0, 0], None), ([5, 5], Some("short")), ([90_000, 90_000], None)] {
        let (mut lengths, mut asked, mut types) = (lengths.into_iter(), 0, 0);
        let url = serve(move |words| {
            Some(match &*words[0] {
                "TYPE" => {
                    types += 1;
                    (if types == 1 || second.is_some() { "+string\r\n" } else { "+none\r\n" })
                        .to_owned()
                }
                "GETRANGE" => {
                    asked += 1;
                    let to: usize = words[3].parse().unwrap();
                    match asked {
                        1 => bulk(&"x".repeat(to + 1)),
                        _ => bulk(second.unwrap_or_default()),
                    }
                }
                "STRLEN" => format!(":{}\r\n", lengths.next().unwrap()),
                "EXISTS" => ":0\r\n".to_owned(),
                _ => return None,
            })
        });
        let found = read(&url, typed()).unwrap();
        match second {
            Some(second) => assert_eq!(*only(&found), Value::String(second.as_bytes().into())),
            None => {
                assert_eq!((found.records.len(), found.failures.len()), (0, 0), "{found:?}");
                assert_eq!(found.skipped, BTreeMap::from([("gone", 1)]));
            }
        }
    }
}

/// `XPENDING` says the same of a group that was destroyed and of a key that is gone.
#[test]
fn a_stream_that_loses_a_group_while_it_is_read_is_read() {
    const GROUPS: [&str; 3] = ["ada", "bob", "eve"];
    for (destroyed, is_gone) in [(1, false), (1, true), (2, false)] {
        let mut left = GROUPS.to_vec();
        let mut to_go = destroyed;
        let mut is_there = true;
        let url = serve(move |words| {
            Some(match &*words[0] {
                "TYPE" if is_there => "+stream\r\n".to_owned(),
                "TYPE" => "+none\r\n".to_owned(),
                "XRANGE" => format!("*1\r\n*2\r\n{}*2\r\n{}{}", bulk("5-1"), bulk("f"), bulk("v")),
                "XINFO" => {
                    let groups = left.iter().map(|name| {
                        let [key, count] = ["name", "pel-count"].map(bulk);
                        format!("*4\r\n{key}{}{count}:1\r\n", bulk(name))
                    });
                    let groups: String = groups.collect();
                    format!("*2\r\n{}*{}\r\n{groups}", bulk("groups"), left.len())
                }
                "XPENDING" if to_go > 0 => {
                    to_go -= 1;
                    left.pop();
                    is_there = !is_gone;
                    "-NOGROUP No such key 'k' or consumer group\r\n".to_owned()
                }
                "XPENDING" => {
                    format!("*1\r\n*4\r\n{}{}:7\r\n:1\r\n", bulk("5-1"), bulk("reader"))
                }
                _ => return None,
            })
        });
        let found = read(&url, typed()).unwrap();
        match (destroyed, is_gone) {
            (1, false) => {
                let Value::Stream(stream) = only(&found) else { panic!("{found:?}") };
                let groups: Vec<_> =
                    stream.groups.iter().map(|group| (&*group.name, group.pending.len())).collect();
                assert_eq!(groups, [(b"ada".as_slice(), 1), (b"bob", 1)]);
                assert_eq!((stream.entries.len(), found.repeats), (1, 0));
            }
            // What loses one after the other cannot be told, which is said.
            (_, false) => {
                let lost = "k: the key was replaced, or lost a group, while it was read";
                assert_eq!((found.records.len(), &*found.failures), (0, &[lost.to_owned()][..]));
            }
            (_, true) => {
                assert_eq!((found.records.len(), found.failures.len()), (0, 0), "{found:?}");
                assert_eq!(found.skipped, BTreeMap::from([("gone", 1)]));
            }
        }
    }
}

/// Whatever follows in the pipeline would be taken for the answers to other questions.
#[test]
fn answers_that_end_where_they_should_not_are_errors() {
    const STRING: &str = "no string where a string was asked for";
    const LIST: &str = "no list where a list was asked for";
    const HALF: &str = "a list of pairs whose last is half";
    let f = bulk("f");
    let scan = |elements: &str| format!("*2\r\n$1\r\n0\r\n{elements}");
    let entry = |rest: &str| format!("*1\r\n*2\r\n{}{rest}", bulk("5-1"));
    let moved = "-MOVED 1 127.0.0.1:1\r\n";
    let wrong = "-WRONGTYPE Operation against a key\r\n";
    let gone = "-ERR no such key\r\n";
    for (kind, command, answer, expected) in [
        ("string", "GETRANGE", "$-1\r\n".to_owned(), STRING),
        ("list", "LRANGE", format!("*2\r\n$-1\r\n{f}"), STRING),
        ("list", "LRANGE", format!("*2\r\n{moved}{f}"), STRING),
        ("list", "LRANGE", format!("*2\r\n*1\r\n{f}{f}"), STRING),
        ("set", "SSCAN", scan(&format!("*2\r\n{wrong}{f}")), STRING),
        ("set", "SSCAN", scan(moved), LIST),
        ("set", "SSCAN", scan("*-1\r\n"), LIST),
        ("hash", "HSCAN", scan(&format!("*2\r\n{f}$-1\r\n")), STRING),
        ("hash", "HSCAN", scan(&format!("*3\r\n{f}{f}{f}")), HALF),
        ("zset", "ZSCAN", scan(&format!("*1\r\n{f}")), HALF),
        ("zset", "ZSCAN", scan(&format!("*2\r\n{f}{gone}")), STRING),
        ("stream", "XRANGE", "*1\r\n*2\r\n$-1\r\n*-1\r\n".to_owned(), STRING),
        ("stream", "XRANGE", entry(gone), LIST),
        ("stream", "XRANGE", entry(&format!("*1\r\n{f}")), HALF),
        ("stream", "XRANGE", entry(&format!("*2\r\n{f}{wrong}")), STRING),
        // What is too big fails its value only when the answer is read to its end.
        ("list", "LRANGE", format!("*2\r\n{}$-1\r\n", bulk(&"x".repeat(11))), STRING),
    ] {
        let told = answer.clone();
        let url = serve(move |words| match &*words[0] {
            "TYPE" => Some(format!("+{kind}\r\n")),
            "XINFO" => Some("*0\r\n".to_owned()),
            asked => (asked == command).then(|| told.clone()),
        });
        let found = read(&url, typed().with_max_element_bytes(10));
        let is_expected =
            matches!(&found, Err(Error::Protocol { detail, .. }) if *detail == expected);
        assert!(is_expected, "{command} {answer:?}: {found:?}");
    }
}

/// What a whole answer says of a key is no reason to distrust the server.
#[test]
fn whole_answers_say_what_became_of_a_key() {
    for (kind, command, answer) in [
        ("ReJSON-RL", "JSON.GET", "$-1\r\n"),
        ("list", "LRANGE", "*0\r\n"),
        ("list", "LRANGE", "*-1\r\n"),
        ("set", "SSCAN", "*2\r\n$1\r\n0\r\n*0\r\n"),
        ("stream", "XINFO", "-ERR no such key\r\n"),
    ] {
        let url = serve(move |words| match &*words[0] {
            "TYPE" => Some(format!("+{kind}\r\n")),
            "XRANGE" => Some("*0\r\n".to_owned()),
            asked => (asked == command).then(|| answer.to_owned()),
        });
        let found = read(&url, typed()).unwrap();
        assert_eq!(found.skipped, BTreeMap::from([("gone", 1)]), "{command} {answer:?}: {found:?}");
        assert!(found.records.is_empty() && found.failures.is_empty(), "{found:?}");
    }
}

/// A server that tells the fields `a`, `b` and `c`, and these times of them.
fn expiring(times: &'static str) -> String {
    serve(move |words| {
        Some(match (&*words[0], words.get(1).map_or("", String::as_str)) {
            ("TYPE", _) => "+hash\r\n".to_owned(),
            ("HSCAN", _) => {
                let fields = ["a", "1", "b", "2", "c", "3"].map(bulk).concat();
                format!("*2\r\n$1\r\n0\r\n*6\r\n{fields}")
            }
            ("HPEXPIRETIME", "k") => times.to_owned(),
            ("HPEXPIRETIME", _) => "*1\r\n:-2\r\n".to_owned(),
            _ => return None,
        })
    })
}

#[test]
fn fields_that_expire_while_they_are_read_are_left_out() {
    let found = read(&expiring("*3\r\n:-2\r\n:-1\r\n:4102444800000\r\n"), typed()).unwrap();
    let kept = Field::new("b".into(), "2".into());
    let mut expires = Field::new("c".into(), "3".into());
    expires.expires_at = Some(UnixMillis(4_102_444_800_000));
    assert_eq!(*only(&found), Value::Hash(vec![kept, expires]));
    // The last field takes its key with it.
    let found = read(&expiring("*3\r\n:-2\r\n:-2\r\n:-2\r\n"), typed()).unwrap();
    assert_eq!((found.records.len(), found.failures.len()), (0, 0), "{found:?}");
    assert_eq!(found.skipped, BTreeMap::from([("gone", 1)]));
}

/// A field without a time would be kept for ever.
#[test]
fn times_that_are_missing_are_errors() {
    for (times, expected) in [
        ("*2\r\n:-1\r\n:-1\r\n", "not as many times as fields"),
        ("$-1\r\n", "not as many times as fields"),
        ("*3\r\n:-1\r\n:-1\r\n-ERR not now\r\n", "no time where a time was asked for"),
    ] {
        let found = read(&expiring(times), typed());
        let is_expected =
            matches!(&found, Err(Error::Protocol { detail, .. }) if *detail == expected);
        assert!(is_expected, "{times:?}: {found:?}");
    }
}
