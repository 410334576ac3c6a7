//! The little of `TwiML` that the stand-in acts on: what an answer says, and where pressed keys go. The relay alone writes it.

/// The text of the first element of that name.
pub(super) fn text_of(xml: &str, element: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{element}"))?;
    let (_, rest) = rest.split_once('>')?;
    let (text, _) = rest.split_once(&format!("</{element}>"))?;
    Some(plain(text))
}

/// Everything that is spoken, in its order.
pub(super) fn spoken(xml: &str) -> String {
    let parts =
        xml.split("<Say").skip(1).filter_map(|rest| rest.split_once('>')?.1.split_once("</Say>"));
    parts.map(|(text, _)| plain(text)).collect::<Vec<_>>().join(" ")
}

/// An attribute of the first element of that name.
pub(super) fn attribute_of(xml: &str, element: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{element} "))?;
    let (tag, _) = rest.split_once('>')?;
    let (_, rest) = tag.split_once(&format!("{name}=\""))?;
    let (value, _) = rest.split_once('"')?;
    Some(plain(value))
}

fn plain(text: &str) -> String {
    let entities = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ];
    entities.iter().fold(text.trim().to_owned(), |text, (entity, c)| text.replace(entity, c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_and_where_keys_go() {
        let xml = "<Response><Gather numDigits=\"1\" action=\"http://a/?x=1&amp;y=2\"><Say language=\"en-US\">Your \
                   ballot &lt;1&gt; &amp; more.</Say></Gather><Say>Goodbye.</Say></Response>";
        assert_eq!(spoken(xml), "Your ballot <1> & more. Goodbye.");
        assert_eq!(attribute_of(xml, "Gather", "action").as_deref(), Some("http://a/?x=1&y=2"));
        assert_eq!(
            text_of("<Response><Message>Hi</Message></Response>", "Message").as_deref(),
            Some("Hi")
        );
        assert_eq!(text_of("<Response/>", "Message"), None);
    }
}
