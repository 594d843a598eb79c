"""Starts a server, validates its /openapi.json, and fuzzes what that describes.

Usage: fuzz.py BINARY SECONDS. Exits 1 if the document is not valid, or an answer is a 5xx or not described.
"""

import base64
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request

ADMIN = ("admin", "a-secret-for-the-fuzzer-only")

# What the fuzzer looks for. Whether data that fits a schema is also accepted is not among it: a pattern's text, say,
# has a language that no schema can tell.
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "ignored_auth",
    "unsupported_method",
    "allow_header_conformance",
    "use_after_free",
]


def call(method, url, body=None, token=None, content_type="application/json"):
    headers = {"Content-Type": content_type} if body is not None else {}
    if token:
        headers["Authorization"] = token
    data = body.encode() if isinstance(body, str) else None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read()
        return json.loads(text) if text else None


def token(base, client, secret):
    basic = base64.b64encode(f"{client}:{secret}".encode()).decode()
    form = urllib.parse.urlencode({"grant_type": "client_credentials"})
    made = call("POST", f"{base}/token", form, f"Basic {basic}", "application/x-www-form-urlencoded")
    return f"Bearer {made['access_token']}"


def furnish(base):
    """A tenant with one of each; the id of a client that may do everything with it, and its token."""
    admin = token(base, *ADMIN)
    call("POST", f"{base}/1.0/tenants", {"id": "acme", "name": "Acme"}, admin)
    scopes = ["read", "write", "events", "integrations:manage", "secrets", "admin"]
    made = call("POST", f"{base}/1.0/tenants/acme/clients", {"name": "fuzzer", "scopes": scopes}, admin)
    bearer = token(base, made["client_id"], made["client_secret"])
    of = f"{base}/1.0/tenants/acme"
    call("POST", f"{of}/key-attribute", {"key": "id"}, bearer)
    call("POST", f"{of}/augments", {"name": "a", "type": "file", "service": "engine"}, bearer)
    call("POST", f"{of}/augments/AU1/file", "id,name\n1234,Ann\n", bearer, "text/csv")
    call("POST", f"{of}/event", {"id": "1234"}, bearer)
    return made["id"], bearer


def told(base):
    """What was answered; fails if too little of it was a success for the handlers to have been reached."""
    with urllib.request.urlopen(f"{base}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    statuses = {}
    for status, count in re.findall(r'(?m)duration_seconds_count\{.*status="(\d+)".* (\d+)$', text):
        statuses[status] = statuses.get(status, 0) + int(count)
    print("openapi: answered " + ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items())))
    good = sum(count for status, count in statuses.items() if status.startswith("2"))
    if good * 10 <= sum(statuses.values()):
        print("openapi: too few of them are successes: what was tested?")
        return 1
    return 0


def run(binary, seconds, folder):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CXENGAGE_")}
    environment |= {"CXENGAGE_ADMIN_CLIENT_ID": ADMIN[0], "CXENGAGE_ADMIN_CLIENT_SECRET": ADMIN[1]}
    serve = [binary, "serve", "--listen", "127.0.0.1:0", "--data-dir", str(folder / "data")]
    with open(folder / "log", "wb") as log:
        server = subprocess.Popen(serve, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        base = server.stdout.readline().strip().removeprefix("listening on ")
        document = call("GET", f"{base}/openapi.json")
        from openapi_spec_validator import OpenAPIV31SpecValidator, validate

        validate(document, cls=OpenAPIV31SpecValidator)
        print(f"openapi: valid 3.1, {len(document['paths'])} paths")
        config = folder / "schemathesis.toml"
        config.write_text('[parameters]\n"path.tid" = "acme"\n')
        tool = str(pathlib.Path(sys.executable).parent / "schemathesis")
        client, bearer = furnish(base)
        arguments = [tool, "--config-file", str(config), "run", f"{base}/openapi.json", "--url", base]
        arguments += ["--header", f"Authorization:{bearer}", "--checks", ",".join(CHECKS)]
        arguments += ["--max-time", str(seconds), "--request-timeout", "20", "--continue-on-failure"]
        arguments += ["--warnings", "off", "--workers", "2", "--no-color"]
        environment = os.environ | {"SCHEMATHESIS_HOOKS": "hooks", "FUZZER": client}
        environment["PYTHONPATH"] = str(pathlib.Path(__file__).parent)
        fuzzed = subprocess.run(arguments, check=False, cwd=folder, env=environment, timeout=seconds + 120)
        return fuzzed.returncode or told(base)
    finally:
        server.terminate()
        server.wait(30)
        said = (folder / "log").read_text(errors="replace")
        if "ERROR" in said or "panicked" in said:
            print("the server said:\n" + "\n".join(l for l in said.splitlines() if "ERROR" in l or "panic" in l))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        sys.exit(run(sys.argv[1], int(sys.argv[2]), pathlib.Path(temporary)))
