use keystar_rdb::*;
#[test]
fn smoke() {
    for dir in ["librdb","redis","badboy-rdb-rs","servers"] {
        let mut files: Vec<_> = std::fs::read_dir(format!("/work/shared/fixtures/rdb/{dir}")).unwrap().map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e=="rdb")).collect();
        files.sort();
        for f in files {
            let bytes = std::fs::read(&f).unwrap();
            for level in [Level::FRAMES, Level::Frames{max_bytes: 100}, Level::Elements, Level::Records, Level::Skip] {
                let mut p = Parser::new(Options::new(level).with_chunk_bytes(1000));
                p.feed(&bytes); p.finish();
                let mut n = 0;
                loop {
                    match p.step() {
                        Ok(Step::End) => break,
                        Ok(Step::NeedInput) => unreachable!(),
                        Ok(Step::Event(Event::Frame(fr))) => { n += 1; let fr = (fr.head.into_owned(), fr.payload.to_vec()); let c = p.context().clone(); let fr = Frame::new(fr.0, &fr.1, 0); if let Err(e) = fr.decode(&c) { println!("{f:?} {level:?} decode {e}"); } let d = fr.to_dump(&c).unwrap(); if let Err(e) = decode_dump(&d) { println!("{f:?} dump {e}"); } }
                        Ok(Step::Event(Event::Warning(w))) => println!("{f:?} {level:?} {w}"),
                        Ok(Step::Event(_)) => n += 1,
                        Err(e) => { println!("{f:?} {level:?} {e} {}", e.skippable()); if !e.skippable() {break} }
                    }
                }
                let _ = n;
            }
        }
    }
}
