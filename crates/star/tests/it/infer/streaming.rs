//! A music service's table: `_type` says what an item is, one index serves four kinds of item, and
//! playlists and albums hold lists.

use keystar_star::Name;

use super::is_golden;
use super::items::{Dice, item, l, m, n, s};

fn items() -> Vec<String> {
    let dice = &mut Dice(3);
    let mut items = Vec::new();
    let genres = ["ambient", "folk", "jazz", "techno"];
    let mut tracks: Vec<(String, u64)> = Vec::new();
    for artist in 0..30 {
        let artist_id = format!("ar_{}", dice.id());
        items.push(item(&[
            ("PK", s(format!("ARTIST#{artist_id}"))),
            ("SK", s(format!("ARTIST#{artist_id}"))),
            ("_type", s("Artist")),
            ("artistId", s(&artist_id)),
            ("artistName", s(format!("The Band {artist}"))),
            ("homeCountry", s(dice.one_of(&["DE", "FR", "JP", "ML"]))),
            ("genres", l(&[s(dice.one_of(&genres)), s("live")])),
        ]));
        for album in 0..1 + dice.below(3) {
            let album_id = format!("al_{}", dice.id());
            let released = dice.day(2010);
            let mut list = Vec::new();
            for number in 0..4 + dice.below(5) {
                let track_id = format!("tr_{}", dice.id());
                let seconds = 90 + dice.below(300);
                list.push(m(&[
                    ("trackId", s(&track_id)),
                    ("title", s(format!("Song {number} of {album}"))),
                    ("seconds", n(seconds)),
                ]));
                items.push(item(&[
                    ("PK", s(format!("TRACK#{track_id}"))),
                    ("SK", s(format!("TRACK#{track_id}"))),
                    ("GSI1PK", s(format!("ALBUM#{album_id}"))),
                    ("GSI1SK", s(format!("TRACK#{number:03}"))),
                    ("_type", s("Track")),
                    ("trackId", s(&track_id)),
                    ("albumId", s(&album_id)),
                    ("title", s(format!("Song {number} of {album}"))),
                    ("seconds", n(seconds)),
                    ("explicit", format!(r#"{{"BOOL":{}}}"#, dice.below(6) == 0)),
                ]));
                tracks.push((track_id, seconds));
            }
            items.push(item(&[
                ("PK", s(format!("ARTIST#{artist_id}"))),
                ("SK", s(format!("ALBUM#{album_id}"))),
                ("GSI1PK", s(format!("ALBUM#{album_id}"))),
                ("GSI1SK", s("ALBUM")),
                ("_type", s("Album")),
                ("albumId", s(&album_id)),
                ("artistId", s(&artist_id)),
                ("title", s(format!("Album {album}"))),
                ("released", s(released)),
                ("tracks", l(&list)),
            ]));
        }
    }
    for user in 0..120 {
        let user_id = format!("us_{}", dice.id());
        items.push(item(&[
            ("PK", s(format!("USER#{user_id}"))),
            ("SK", s("PROFILE")),
            ("GSI1PK", s(format!("EMAIL#listener{user}@mail.example"))),
            ("GSI1SK", s("USER")),
            ("_type", s("User")),
            ("userId", s(&user_id)),
            ("displayName", s(format!("Listener {user}"))),
            ("email", s(format!("listener{user}@mail.example"))),
            (
                "settings",
                m(&[
                    ("language", s(dice.one_of(&["de", "en", "fr"]))),
                    ("quality", m(&[("wifi", n(320)), ("mobile", n(96 + 32 * dice.below(3)))])),
                ]),
            ),
            ("plan", s(dice.one_of(&["family", "free", "solo"]))),
            ("createdAt", n(1_500_000_000 + dice.below(100_000_000))),
        ]));
        for _ in 0..dice.below(12) {
            let (track, seconds) = &tracks[dice.below(tracks.len() as u64) as usize];
            let moment = 1_640_000_000_000 + dice.below(30_000_000_000);
            items.push(item(&[
                ("PK", s(format!("USER#{user_id}"))),
                ("SK", s(format!("PLAY#{moment}"))),
                ("GSI1PK", s(format!("TRACK#{track}"))),
                ("GSI1SK", s(format!("PLAY#{moment}"))),
                ("_type", s("Play")),
                ("playedAt", n(moment)),
                ("trackId", s(track)),
                ("secondsPlayed", n(dice.below(*seconds))),
                ("device", s(dice.one_of(&["car", "phone", "tv"]))),
            ]));
        }
        if dice.below(2) == 0 {
            let playlist = format!("pl_{}", dice.id());
            let mut entries = Vec::new();
            for _ in 0..1 + dice.below(5) {
                let (track, _) = &tracks[dice.below(tracks.len() as u64) as usize];
                entries.push(m(&[("trackId", s(track)), ("addedAt", s(dice.moment(2022)))]));
            }
            items.push(item(&[
                ("PK", s(format!("USER#{user_id}"))),
                ("SK", s(format!("PLAYLIST#{playlist}"))),
                ("_type", s("Playlist")),
                ("playlistId", s(&playlist)),
                ("name", s(format!("Mix {}", dice.below(50)))),
                ("entries", l(&entries)),
            ]));
        }
    }
    items
}

#[test]
fn a_music_service_with_lists_is_understood() {
    let model = is_golden(&items(), "streaming");
    let name = |name: &str| Name::new(name).unwrap();
    let plays = model.fact(&name("plays")).unwrap();
    let roles: Vec<&str> = plays.dimensions.iter().map(|role| role.role.as_str()).collect();
    assert_eq!(roles, ["user", "track", "album", "artist", "date"]);
}
