//! The resume law: from any record's end on, another parser tells the same rest.

use keystar_rdb::{Event, Level, Options, Parser, ResumePoint, Step};

use crate::{fixture, render};

fn assert_law(name: &str, bytes: &[u8], options: &Options, every: usize) {
    let mut parser = Parser::new(options.clone());
    parser.feed(bytes);
    parser.finish();
    let (mut told, mut points) = (Vec::new(), Vec::new());
    loop {
        match parser.step() {
            Ok(Step::Event(event)) => {
                let key = matches!(event, Event::Key(_) | Event::Element(_));
                told.push(render::event(&event));
                let point = parser.resume_point();
                assert!(!(key && point.is_some()), "{name}: no point inside of a record");
                if let Some(point) = point {
                    assert_eq!(point.offset, parser.offset());
                    points.push((told.len(), point));
                }
            }
            Ok(_) => break,
            Err(error) => {
                told.push(render::error(&error));
                if !error.skippable() {
                    break;
                }
            }
        }
    }
    for (at, point) in points.into_iter().step_by(every) {
        let saved = ResumePoint::from_bytes(&point.to_bytes()).unwrap();
        assert_eq!(saved, point);
        let offset = usize::try_from(saved.offset).unwrap();
        let rest = bytes[offset..].chunks(1000);
        let mut resumed = Parser::resume(options.clone(), saved);
        let tail = render::drive(&mut resumed, rest);
        assert!(tail == told[at..], "{name} from {offset} at {:?}", options.level);
        assert_eq!(resumed.stats(), parser.stats(), "{name} from {offset}");
    }
}

#[test]
fn every_dump_goes_on_from_every_record() {
    for name in fixture::all() {
        let bytes = fixture::rdb(&name);
        // Each point costs a parse of the rest: of the big dumps, some are enough.
        let every = 1 + bytes.len() / 20_000;
        for level in [Level::FRAMES, Level::Elements, Level::Records, Level::Skip] {
            assert_law(&name, &bytes, &Options::new(level), every);
        }
    }
}

#[test]
fn big_frames_are_no_place_to_resume() {
    let bytes = fixture::rdb("librdb/quicklist2_v11.rdb");
    assert_law("quicklist2", &bytes, &Options::new(Level::Frames { max_bytes: 10 }), 1);
}
