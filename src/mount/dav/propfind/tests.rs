use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn these(names: &[(&str, &str)]) -> Result<Asked, NotUnderstood> {
    let property = |(namespace, name): &(&str, &str)| Property {
        namespace: (*namespace).to_owned(),
        name: (*name).to_owned(),
    };
    Ok(Asked::These(names.iter().map(property).collect()))
}

fn film() -> Entry {
    let at = UNIX_EPOCH + Duration::from_secs(784_111_777);
    let tag = Some("\"abc-0-5\"".to_owned());
    Entry::file("/a%20%26.mkv".to_owned(), "a &.mkv".to_owned(), at, 5, "video/x-matroska", tag)
}

fn folder() -> Entry {
    Entry::folder("/Show/".to_owned(), "Show".to_owned(), UNIX_EPOCH)
}

/// Every element is closed, every prefix is bound.
fn is_well_formed(text: &str) -> bool {
    let mut reader = NsReader::from_str(text);
    reader.config_mut().check_end_names = true;
    let mut depth = 0;
    loop {
        match reader.read_resolved_event() {
            Ok((ResolveResult::Unknown(_), _)) | Err(_) => return false,
            Ok((_, Event::Start(start) | Event::Empty(start)))
                if start.attributes().any(|attribute| attribute.is_err()) =>
            {
                return false;
            }
            Ok((_, Event::Start(_))) => depth += 1,
            Ok((_, Event::End(_))) => depth -= 1,
            Ok((_, Event::Eof)) => return depth == 0,
            Ok(_) => {}
        }
    }
}

#[test]
fn what_clients_ask_is_understood() {
    let cases = [
        ("", Ok(Asked::All)),
        (" \n", Ok(Asked::All)),
        ("<propfind xmlns='DAV:'><allprop/></propfind>", Ok(Asked::All)),
        (
            "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?><D:propfind xmlns:D=\"DAV:\"><D:propname/></D:propfind>",
            Ok(Asked::Names),
        ),
        (
            // cadaver
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<propfind xmlns=\"DAV:\"><prop>\n\
             <getcontentlength xmlns=\"DAV:\"/>\n<executable xmlns=\"http://apache.org/dav/props/\"/>\n\
             <resourcetype xmlns=\"DAV:\"/></prop></propfind>\n",
            these(&[
                ("DAV:", "getcontentlength"),
                ("http://apache.org/dav/props/", "executable"),
                ("DAV:", "resourcetype"),
            ]),
        ),
        ("<D:propfind xmlns:D='DAV:'><D:prop><a/></D:prop></D:propfind>", these(&[("", "a")])),
        (
            "<D:propfind xmlns:D='DAV:'><D:prop><D:a><D:b/></D:a></D:prop><D:allprop/><x><D:c/></x></D:propfind>",
            these(&[("DAV:", "a")]),
        ),
        (
            "<D:propfind xmlns:D='DAV:'><D:prop xmlns:q='a&amp;\"b'><q:x/></D:prop></D:propfind>",
            these(&[("a&\"b", "x")]),
        ),
        ("<D:propfind xmlns:D='DAV:'/>", Err(NotUnderstood::Nothing)),
        ("<propfind><allprop/></propfind>", Err(NotUnderstood::Nothing)),
        ("nonsense", Err(NotUnderstood::Nothing)),
        ("<D:propfind xmlns:D='DAV:'><D:prop><y:a/></D:prop></D:propfind>", Err(NotUnderstood::Name)),
        ("<D:propfind xmlns:D='DAV:'><D:prop><a&b/></D:prop></D:propfind>", Err(NotUnderstood::Name)),
    ];
    for (body, asked) in cases {
        assert_eq!(Asked::read(body.as_bytes()), asked, "{body}");
    }
}

#[test]
fn what_is_made_to_hurt_is_refused() {
    let within = |body: &str| format!("<D:propfind xmlns:D='DAV:'><D:prop>{body}</D:prop></D:propfind>");
    let hurtful = [
        "<a>".repeat(20_000),
        within(&"<a>".repeat(20_000)),
        within(&"<a/>".repeat(129)),
        format!("<!DOCTYPE a [<!ENTITY b \"c\">]>{}", within("<a/>")),
        "<D:propfind xmlns:D='DAV:'><D:allprop/>".to_owned(),
        "<D:propfind xmlns:D='DAV:'><D:allprop></D:propfind>".to_owned(),
        within("<a xmlns='&b;'/>"),
        within("<x:a xmlns:x='http://www.w3.org/2000/xmlns/'/>"),
    ];
    for body in hurtful {
        assert!(Asked::read(body.as_bytes()).is_err(), "{}", body.chars().take(200).collect::<String>());
    }
    assert!(Asked::read(b"<\0p\0r\0").is_err());
    assert!(Asked::read(b"\xff\xfe<\0").is_err());
}

#[test]
fn the_depth_is_told_or_infinite() {
    let read = |text| Depth::read(Some(&HeaderValue::from_static(text)));
    assert_eq!((read("0"), read("1")), (Some(Depth::Zero), Some(Depth::One)));
    assert_eq!((read("Infinity"), Depth::read(None)), (Some(Depth::Infinity), Some(Depth::Infinity)));
    assert_eq!((read("2"), read("")), (None, None));
}

#[test]
fn a_file_tells_what_it_has_and_what_it_has_not() {
    let asked =
        these(&[("DAV:", "getcontentlength"), ("DAV:", "quota-used-bytes"), ("u:<", "Win32FileAttributes")]);
    assert_eq!(
        response(&asked.unwrap(), &film(), Some(7)),
        "<D:response><D:href>/a%20%26.mkv</D:href>\
         <D:propstat><D:prop><D:getcontentlength>5</D:getcontentlength></D:prop>\
         <D:status>HTTP/1.1 200 OK</D:status></D:propstat>\
         <D:propstat><D:prop><D:quota-used-bytes/><x:Win32FileAttributes xmlns:x=\"u:&lt;\"/></D:prop>\
         <D:status>HTTP/1.1 404 Not Found</D:status></D:propstat></D:response>\n"
    );
    assert_eq!(
        response(&Asked::All, &film(), None),
        "<D:response><D:href>/a%20%26.mkv</D:href><D:propstat><D:prop>\
         <D:creationdate>1994-11-06T08:49:37Z</D:creationdate><D:displayname>a &amp;.mkv</D:displayname>\
         <D:getcontentlength>5</D:getcontentlength><D:getcontenttype>video/x-matroska</D:getcontenttype>\
         <D:getetag>&quot;abc-0-5&quot;</D:getetag>\
         <D:getlastmodified>Sun, 06 Nov 1994 08:49:37 GMT</D:getlastmodified>\
         <D:lockdiscovery/><D:resourcetype/><D:supportedlock/></D:prop>\
         <D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>\n"
    );
}

#[test]
fn a_folder_is_a_collection_and_has_no_room() {
    let asked =
        these(&[("DAV:", "resourcetype"), ("DAV:", "quota-available-bytes"), ("DAV:", "quota-used-bytes")])
            .unwrap();
    assert!(asked.wants_quota() && !Asked::All.wants_quota());
    let told = response(&asked, &folder(), Some(7));
    assert!(told.contains("<D:resourcetype><D:collection/></D:resourcetype>"), "{told}");
    assert!(told.contains("<D:quota-available-bytes>0</D:quota-available-bytes>"), "{told}");
    assert!(told.contains("<D:quota-used-bytes>7</D:quota-used-bytes>") && !told.contains("404"), "{told}");
    let names = response(&Asked::Names, &folder(), Some(7));
    assert!(names.contains("<D:quota-used-bytes/>") && !names.contains("getcontentlength"), "{names}");
}

#[test]
fn days_are_counted_as_the_calendar_does() {
    let days = [
        (0, "1970-01-01T00:00:00Z"),
        (951_782_400, "2000-02-29T00:00:00Z"),
        (951_868_799, "2000-02-29T23:59:59Z"),
        (951_868_800, "2000-03-01T00:00:00Z"),
        (1_709_164_800, "2024-02-29T00:00:00Z"),
        (1_735_689_599, "2024-12-31T23:59:59Z"),
        (4_107_542_400, "2100-03-01T00:00:00Z"),
    ];
    for (seconds, date) in days {
        assert_eq!(internet_date(UNIX_EPOCH + Duration::from_secs(seconds)), date);
    }
}

proptest! {
    #[test]
    fn whatever_is_asked_the_answer_is_xml(
        names in prop::collection::vec(("\\PC{0,8}", "[a-zA-Z:&<>\"' -]{0,6}"), 0..5),
        called in "\\PC{0,20}",
    ) {
        let properties: String =
            names.iter().map(|(space, name)| format!("<{name} xmlns=\"{}\"/>", escaped(space))).collect();
        let body = format!("<D:propfind xmlns:D=\"DAV:\"><D:prop>{properties}</D:prop></D:propfind>");
        if let Ok(asked) = Asked::read(body.as_bytes()) {
            let entry = Entry { name: called, ..film() };
            for asked in [asked, Asked::All, Asked::Names] {
                let text = format!("{HEAD}{}{TAIL}", response(&asked, &entry, Some(1)));
                prop_assert!(is_well_formed(&text), "{}", text);
            }
        }
    }

    #[test]
    fn no_body_is_too_strange(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Asked::read(&body);
    }
}
