"""The providers' own clients, to be asked line by line: JSON in, JSON out.

What they send and accept is what the stand-ins of the tests, and what we send to them, are held to.
"""

import json
import sys


def twilio_client(asked):
    from twilio.rest import Client

    client = Client(asked["account"], asked["token"])
    client.api.base_url = asked["url"]
    return client


def twilio_sms(asked):
    sent = twilio_client(asked).messages.create(**asked["params"])
    return {"sid": sent.sid, "status": sent.status}


def twilio_call(asked):
    sent = twilio_client(asked).calls.create(**asked["params"])
    return {"sid": sent.sid, "status": sent.status}


def twilio_status(asked):
    client = twilio_client(asked)
    return {
        "call": client.calls(asked["sid"]).fetch().status,
        "sms": client.messages(asked["sid"]).fetch().status,
    }


def twilio_signs(asked):
    from twilio.request_validator import RequestValidator

    return RequestValidator(asked["token"]).compute_signature(asked["url"], asked["params"])


def sendgrid_mail(asked):
    from sendgrid import SendGridAPIClient

    client = SendGridAPIClient(asked["key"], host=asked["url"])
    answer = client.client.mail.send.post(request_body=asked["mail"])
    return {"status": answer.status_code}


def sendgrid_believes(asked):
    from sendgrid.helpers.eventwebhook import EventWebhook

    webhook = EventWebhook(asked["public"])
    return webhook.verify_signature(asked["body"], asked["signature"], asked["timestamp"])


def pusher_trigger(asked):
    from pusher import Pusher

    host, port = asked["url"].removeprefix("http://").split(":")
    client = Pusher(asked["app"], asked["key"], asked["secret"], ssl=False, host=host, port=int(port))
    return client.trigger(asked["channel"], asked["event"], asked["data"])


def pusher_signs(asked):
    from pusher.signature import sign

    return sign(asked["secret"], asked["text"])


def airship_push(asked):
    import urbanairship
    from urbanairship.urls import Urls

    client = urbanairship.BasicAuthClient(asked["key"], asked["secret"])
    client.urls = Urls(base_url=asked["url"] + "/api/")
    push = urbanairship.Push(client)
    push.audience = urbanairship.named_user(asked["user"])
    push.notification = urbanairship.notification(alert=asked["alert"])
    push.device_types = urbanairship.all_
    return {"ids": push.send().push_ids}


def webhook_believes(asked):
    from standardwebhooks import Webhook

    Webhook(asked["secret"]).verify(asked["body"], asked["headers"])
    return True


for line in sys.stdin:
    asked = json.loads(line)
    try:
        answer = globals()[asked["sdk"]](asked)
    except Exception as error:  # what it does not take is what the test wants to know
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
