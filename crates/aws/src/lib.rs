//! What every function shares with AWS: configuration, clients, the feedback stream, claims, replies.
