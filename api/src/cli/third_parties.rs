//! Where third parties are, as the operator says: tests point them at stand-ins.

use notifier::endpoint::Bases;
use notifier::endpoint::http::Url;

/// Where third parties are, if not where everybody finds them.
#[derive(clap::Args)]
#[command(next_help_heading = "Third parties")]
pub(super) struct ThirdParties {
    /// Twilio's API. Default: https://api.twilio.com
    #[arg(long, env = "CXENGAGE_TWILIO_URL", value_parser = Url::parse)]
    twilio_url: Option<Url>,
    /// SendGrid's API. Default: https://api.sendgrid.com
    #[arg(long, env = "CXENGAGE_SENDGRID_URL", value_parser = Url::parse)]
    sendgrid_url: Option<Url>,
    /// Where to log in to Salesforce. Default: https://login.salesforce.com
    #[arg(long, env = "CXENGAGE_SALESFORCE_LOGIN_URL", value_parser = Url::parse)]
    salesforce_login_url: Option<Url>,
    /// Airship's API. Default: https://go.urbanairship.com
    #[arg(long, env = "CXENGAGE_AIRSHIP_URL", value_parser = Url::parse)]
    airship_url: Option<Url>,
    /// Pusher's API. Default: that of the cluster that the integration names
    #[arg(long, env = "CXENGAGE_PUSHER_URL", value_parser = Url::parse)]
    pusher_url: Option<Url>,
    /// Zendesk's API. Default: that of the subdomain that the integration names
    #[arg(long, env = "CXENGAGE_ZENDESK_URL", value_parser = Url::parse)]
    zendesk_url: Option<Url>,
}

impl ThirdParties {
    pub(super) fn bases(self) -> Bases {
        let known = Bases::default();
        Bases {
            twilio: self.twilio_url.unwrap_or(known.twilio),
            sendgrid: self.sendgrid_url.unwrap_or(known.sendgrid),
            salesforce_login: self.salesforce_login_url.unwrap_or(known.salesforce_login),
            airship: self.airship_url.unwrap_or(known.airship),
            pusher: self.pusher_url,
            zendesk: self.zendesk_url,
        }
    }
}
