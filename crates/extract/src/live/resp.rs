//! The protocol, RESP2: how commands are written, how replies begin, what errors mean.

use super::link::Token;
use crate::Error;

/// Writes a command as an array of strings.
pub(crate) fn encode<A: AsRef<[u8]>>(out: &mut Vec<u8>, arguments: &[A]) {
    let mut digits = itoa::Buffer::new();
    out.push(b'*');
    out.extend_from_slice(digits.format(arguments.len()).as_bytes());
    for argument in arguments {
        let bytes = argument.as_ref();
        out.extend_from_slice(b"\r\n$");
        out.extend_from_slice(digits.format(bytes.len()).as_bytes());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(bytes);
    }
    out.extend_from_slice(b"\r\n");
}

/// Reads a line without its end.
#[inline]
pub(crate) fn token(line: &[u8]) -> Option<Token<'_>> {
    let (mark, rest) = line.split_first()?;
    let length = |number: i64| usize::try_from(number).ok().filter(|len| *len <= MAX_LENGTH);
    Some(match mark {
        b'$' => match number(rest)? {
            -1 => Token::Nil,
            len => Token::Bulk(length(len)?),
        },
        b':' => Token::Integer(number(rest)?),
        b'+' => Token::Status(rest),
        b'-' => Token::Error(rest),
        b'*' => match number(rest)? {
            -1 => Token::Nil,
            len => Token::Array(length(len)?),
        },
        _ => return None,
    })
}

/// No string, and no array, is longer: what says so is not the protocol.
const MAX_LENGTH: usize = 1 << 40;

#[inline]
fn number(digits: &[u8]) -> Option<i64> {
    let (negative, digits) = match digits.split_first() {
        Some((b'-', rest)) => (true, rest),
        _ => (false, digits),
    };
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    let mut value = 0_i64;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        // Negative, since there is one more of those.
        value = value.checked_mul(10)?.checked_sub(i64::from(digit))?;
    }
    if negative { Some(value) } else { value.checked_neg() }
}

/// What an answer that is an error means, and who can do something about it.
pub(crate) fn refused(node: &str, command: &str, detail: &str) -> Error {
    let (node, command, detail) = (node.to_owned(), command.to_owned(), detail.to_owned());
    let code = detail.split(' ').next().unwrap_or_default();
    match code {
        "NOAUTH" | "WRONGPASS" => Error::Login { node, detail },
        "NOPERM" => Error::Forbidden { node, command, detail },
        "LOADING" | "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN" | "BUSY" | "NOMASTERLINK"
        | "READONLY" | "IDONTKNOW" | "UNBLOCKED" | "NOREPLICAS" => {
            Error::Unavailable { node, detail }
        }
        _ if detail.starts_with("ERR unknown command")
            || detail.starts_with("ERR unknown subcommand")
            || detail.starts_with("ERR Unknown subcommand") =>
        {
            Error::Unsupported { node, command }
        }
        // Azure's, Upstash's and others' words for a command that they do not give.
        _ if detail.contains("not allowed") || detail.contains("not permitted") => {
            Error::Unsupported { node, command }
        }
        _ if detail.starts_with("ERR max number of clients") => Error::Unavailable { node, detail },
        _ => Error::Answer { node, command, detail },
    }
}

/// A redirection: the slot, and where it is.
#[derive(Debug, PartialEq)]
pub(crate) struct Redirect<'a> {
    /// Only this one question goes there (`ASK`); otherwise the slot has moved (`MOVED`).
    pub(crate) once: bool,
    pub(crate) slot: u16,
    /// `host:port`; the host may be empty: then it is the one that answers.
    pub(crate) place: &'a str,
}

pub(crate) fn redirect(error: &[u8]) -> Option<Redirect<'_>> {
    let mut words = std::str::from_utf8(error).ok()?.split(' ');
    let once = match words.next()? {
        "ASK" => true,
        "MOVED" => false,
        _ => return None,
    };
    Some(Redirect { once, slot: words.next()?.parse().ok()?, place: words.next()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_arrays_of_strings() {
        let mut out = Vec::new();
        encode(&mut out, &["DUMP", "a key"]);
        encode(&mut out, &[""]);
        assert_eq!(out, b"*2\r\n$4\r\nDUMP\r\n$5\r\na key\r\n*1\r\n$0\r\n\r\n");
    }

    #[test]
    fn lines_begin_replies() {
        assert_eq!(token(b"$12"), Some(Token::Bulk(12)));
        assert_eq!(token(b"$-1"), Some(Token::Nil));
        assert_eq!(token(b"*-1"), Some(Token::Nil));
        assert_eq!(token(b"*2"), Some(Token::Array(2)));
        assert_eq!(token(b":-2"), Some(Token::Integer(-2)));
        assert_eq!(token(b":-9223372036854775808"), Some(Token::Integer(i64::MIN)));
        assert_eq!(token(b"+OK"), Some(Token::Status(b"OK")));
        assert_eq!(token(b"-ERR no"), Some(Token::Error(b"ERR no")));
        for line in [
            &b""[..],
            b"$",
            b"$-2",
            b"$1x",
            b"*99999999999999999999",
            b"%3",
            b":",
            b"$99999999999999",
        ] {
            assert_eq!(token(line), None, "{line:?}");
        }
    }

    #[test]
    fn errors_say_who_can_act() {
        let refused = |detail: &str| refused("a:1", "DUMP", detail);
        assert!(matches!(refused("WRONGPASS invalid"), Error::Login { .. }));
        let error = refused("NOPERM this user has no permissions to run the 'dump' command");
        assert!(matches!(&error, Error::Forbidden { command, .. } if command == "DUMP"));
        assert_eq!(error.hint().unwrap(), "grant it: ACL SETUSER <user> +dump ~*");
        assert!(refused("LOADING Redis is loading the dataset in memory").is_retryable());
        assert!(matches!(refused("ERR unknown command 'DUMP'"), Error::Unsupported { .. }));
        assert!(matches!(refused("WRONGTYPE x"), Error::Answer { .. }));
    }

    #[test]
    fn redirections_are_read() {
        let moved = Redirect { once: false, slot: 3999, place: "127.0.0.1:6381" };
        assert_eq!(redirect(b"MOVED 3999 127.0.0.1:6381"), Some(moved));
        let ask = Redirect { once: true, slot: 1, place: ":6381" };
        assert_eq!(redirect(b"ASK 1 :6381"), Some(ask));
        assert_eq!(redirect(b"ERR MOVED"), None);
        assert_eq!(redirect(b"MOVED 99999 a:1"), None);
    }
}
