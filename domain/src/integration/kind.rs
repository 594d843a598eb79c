//! The types of integrations and their fields, as data (rest-api.md §6).

/// A type of integration: also the id of the tenant's one integration of that type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "each is the third party of that name")]
pub enum Kind {
    Salesforce,
    Twilio,
    Sendgrid,
    UrbanAirship,
    Datasift,
    Pusher,
    Zendesk,
    Webhook,
    Generic,
    Echo,
}

/// A field of an integration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Whether its value is kept sealed.
    pub secret: bool,
}

const fn open(name: &'static str) -> Field {
    Field { name, secret: false }
}

const fn secret(name: &'static str) -> Field {
    Field { name, secret: true }
}

impl Kind {
    /// Every type.
    pub const ALL: [Self; 10] = [
        Self::Salesforce,
        Self::Twilio,
        Self::Sendgrid,
        Self::UrbanAirship,
        Self::Datasift,
        Self::Pusher,
        Self::Zendesk,
        Self::Webhook,
        Self::Generic,
        Self::Echo,
    ];

    /// The type's name: in paths, in programs, in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Salesforce => "salesforce",
            Self::Twilio => "twilio",
            Self::Sendgrid => "sendgrid",
            Self::UrbanAirship => "urban-airship",
            Self::Datasift => "datasift",
            Self::Pusher => "pusher",
            Self::Zendesk => "zendesk",
            Self::Webhook => "webhook",
            Self::Generic => "generic",
            Self::Echo => "echo",
        }
    }

    /// The type of that name, in whatever case; a webhook is also called "REST API", with or without a hyphen.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase().replace(' ', "-");
        match name.as_str() {
            "rest-api" => Some(Self::Webhook),
            name => Self::ALL.into_iter().find(|kind| kind.name() == name),
        }
    }

    /// Whether programs can use it without its being set up.
    pub fn is_built_in(self) -> bool {
        matches!(self, Self::Generic | Self::Echo)
    }

    /// Its fields, in the order in which they are shown. (`headers` of a webhook is no field: it is a map.)
    pub fn fields(self) -> &'static [Field] {
        match self {
            Self::Salesforce => {
                const {
                    &[
                        open("consumer-key"),
                        secret("consumer-secret"),
                        open("username"),
                        secret("secret-token"),
                        secret("password"),
                        open("instance"),
                    ]
                }
            }
            Self::Twilio => const { &[open("account"), secret("password"), open("from-phone-number")] },
            Self::Sendgrid => {
                const {
                    &[
                        open("account"),
                        secret("password"),
                        secret("api-key"),
                        open("from"),
                        open("webhook-public-key"),
                    ]
                }
            }
            Self::UrbanAirship => const { &[open("username"), open("account"), secret("password")] },
            Self::Datasift => const { &[secret("api-key"), open("username")] },
            Self::Pusher => const { &[open("key"), secret("secret"), open("app-id"), open("cluster")] },
            Self::Zendesk => const { &[open("subdomain"), open("email"), secret("token")] },
            Self::Webhook => const { &[open("url"), secret("secret")] },
            Self::Generic | Self::Echo => &[],
        }
    }

    /// The field of that name.
    pub fn field(self, name: &str) -> Option<&'static Field> {
        self.fields().iter().find(|field| field.name == name)
    }

    /// What a secret field's seal is bound to: where it belongs.
    pub fn place(self, field: &str) -> String {
        format!("{}/{field}", self.name())
    }

    /// What a header's seal is bound to.
    pub fn header_place(self, header: &str) -> String {
        format!("{}/headers/{header}", self.name())
    }

    /// Whether it has a map of `headers`.
    pub fn has_headers(self) -> bool {
        self == Self::Webhook
    }

    /// What has to be there: all fields of one of these lists. The first is the usual one.
    pub fn needs(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::Salesforce => {
                &[&["secret-token", "username", "password", "consumer-key", "consumer-secret"]]
            }
            Self::Twilio => &[&["account", "password"]],
            Self::Sendgrid => &[&["account", "password"], &["api-key"]],
            Self::UrbanAirship => &[&["username", "password"], &["account", "password"]],
            Self::Datasift => &[&["username", "api-key"]],
            Self::Pusher => &[&["key", "secret"]],
            Self::Zendesk => &[&["subdomain", "email", "token"]],
            Self::Webhook => &[&["url"], &["secret"]],
            Self::Generic | Self::Echo => &[&[]],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_found_by_its_names_and_needs_only_fields_that_it_has() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_name(kind.name()), Some(kind));
            assert_eq!(Kind::from_name(&kind.name().to_uppercase()), Some(kind));
            for name in kind.needs().iter().copied().flatten() {
                assert!(kind.field(name).is_some(), "{} has no field {name}", kind.name());
            }
        }
        for name in ["REST API", "rest-api", "Rest Api", "webhook"] {
            assert_eq!(Kind::from_name(name), Some(Kind::Webhook), "{name}");
        }
        assert_eq!(Kind::from_name("restapi"), None);
        let secrets: Vec<&str> = Kind::ALL
            .iter()
            .flat_map(|kind| kind.fields().iter().filter(|field| field.secret).map(|field| field.name))
            .collect();
        assert_eq!(
            secrets.join(" "),
            "consumer-secret secret-token password password password api-key password api-key secret token secret"
        );
    }
}
