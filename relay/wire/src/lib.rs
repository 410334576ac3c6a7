//! What a station and a notification relay say to each other: event types and signing.
