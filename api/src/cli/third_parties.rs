//! Where third parties are, as the operator says: tests point them at stand-ins.

use std::time::Duration;

use domain::dsl::then::catalogue;
use notifier::endpoint::Bases;
use notifier::endpoint::http::Url;
use notifier::runtime::Rate;

/// Where third parties are, if not where everybody finds them.
#[derive(clap::Args)]
#[command(next_help_heading = "Third parties")]
pub(super) struct ThirdParties {
    /// Twilio's API. Default: <https://api.twilio.com>
    #[arg(long, env = "CXENGAGE_TWILIO_URL", value_parser = Url::parse)]
    twilio_url: Option<Url>,
    /// SendGrid's API. Default: <https://api.sendgrid.com>
    #[arg(long, env = "CXENGAGE_SENDGRID_URL", value_parser = Url::parse)]
    sendgrid_url: Option<Url>,
    /// Where to log in to Salesforce. Default: <https://login.salesforce.com>
    #[arg(long, env = "CXENGAGE_SALESFORCE_LOGIN_URL", value_parser = Url::parse)]
    salesforce_login_url: Option<Url>,
    /// Airship's API. Default: <https://go.urbanairship.com>
    #[arg(long, env = "CXENGAGE_AIRSHIP_URL", value_parser = Url::parse)]
    airship_url: Option<Url>,
    /// Pusher's API. Default: that of the cluster that the integration names
    #[arg(long, env = "CXENGAGE_PUSHER_URL", value_parser = Url::parse)]
    pusher_url: Option<Url>,
    /// DataSift's streams, both transports. Default: <https://stream.datasift.com>, <wss://websocket.datasift.com>
    #[arg(long, env = "CXENGAGE_DATASIFT_URL", value_parser = Url::parse)]
    datasift_url: Option<Url>,
    /// The longest pause before a listener tries to connect again, in seconds. Default: what each third party asks for
    #[arg(long, env = "CXENGAGE_LISTENER_PAUSE", value_name = "SECONDS", value_parser = pause)]
    listener_pause: Option<Duration>,
    /// Zendesk's API. Default: that of the subdomain that the integration names
    #[arg(long, env = "CXENGAGE_ZENDESK_URL", value_parser = Url::parse)]
    zendesk_url: Option<Url>,
    /// How many sends an endpoint gets from each tenant: twilio=10/second. May be given several times, also for one
    /// endpoint; units are second, minute, hour and day.
    #[arg(long, env = "CXENGAGE_ENDPOINT_RATE", value_delimiter = ',', value_parser = rate)]
    endpoint_rate: Vec<(String, Rate)>,
    /// For how many seconds the answer to an API augment is kept, for its key, if it does not say (Cache-Control:
    /// max-age); 0: not at all.
    #[arg(long, env = "CXENGAGE_AUGMENT_CACHE_SECONDS", value_name = "SECONDS", default_value_t = 60)]
    augment_cache_seconds: u32,
}

/// Reads `twilio=10/second`.
fn rate(text: &str) -> Result<(String, Rate), String> {
    let (endpoint, rate) = text.split_once('=').ok_or("has to be of the form twilio=10/second")?;
    let (sends, unit) = rate.split_once('/').ok_or("has to be of the form twilio=10/second")?;
    if !catalogue::endpoints().any(|known| known == endpoint) {
        let known: Vec<&str> = catalogue::endpoints().collect();
        return Err(format!("there is no endpoint {endpoint:?}; there are {}", known.join(", ")));
    }
    let seconds = match unit {
        "second" => 1,
        "minute" => 60,
        "hour" => 60 * 60,
        "day" => 24 * 60 * 60,
        _ => return Err("the unit has to be second, minute, hour or day".to_owned()),
    };
    let sends = sends.parse().ok().filter(|sends| (1..=100_000).contains(sends));
    let sends = sends.ok_or("the number has to be from 1 to 100000")?;
    Ok((endpoint.to_owned(), Rate { sends, per: Duration::from_secs(seconds) }))
}

/// Reads seconds, which may have a fraction.
fn pause(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.1..=3_600.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "has to be a number from 0.1 to 3600".to_owned())
}

impl ThirdParties {
    /// The longest pause of listeners.
    pub(super) fn listener_pause(&self) -> Option<Duration> {
        self.listener_pause
    }

    /// The rates that endpoints are held to.
    pub(super) fn rates(&self) -> Vec<(String, Rate)> {
        self.endpoint_rate.clone()
    }

    /// How long answers to augments are kept.
    pub(super) fn augment_cache(&self) -> Duration {
        Duration::from_secs(self.augment_cache_seconds.into())
    }

    /// Where they are.
    pub(super) fn bases(self) -> Bases {
        let known = Bases::default();
        Bases {
            twilio: self.twilio_url.unwrap_or(known.twilio),
            sendgrid: self.sendgrid_url.unwrap_or(known.sendgrid),
            salesforce_login: self.salesforce_login_url.unwrap_or(known.salesforce_login),
            airship: self.airship_url.unwrap_or(known.airship),
            pusher: self.pusher_url,
            datasift: self.datasift_url,
            zendesk: self.zendesk_url,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_names_an_endpoint_a_number_and_a_unit() {
        let day = Rate { sends: 500, per: Duration::from_secs(86_400) };
        assert_eq!(rate("urban-airship=500/day"), Ok(("urban-airship".to_owned(), day)));
        for bad in
            ["twilio", "twilio=5", "fax=5/day", "twilio=0/day", "twilio=x/day", "twilio=5/week", "=5/day"]
        {
            assert!(rate(bad).is_err(), "{bad}");
        }
    }
}
