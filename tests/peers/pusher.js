// Publishes to a Pusher-compatible server over its HTTP API, signed as the protocol says.
//
//   node pusher.js <port>     reads lines "<from> <to> <channel>" and publishes those events
const http = require("http");
const crypto = require("crypto");
const readline = require("readline");

const [APP, KEY, SECRET] = ["77", "app-key", "app-secret"];
const port = Number(process.argv[2]);
const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });

function send(batch) {
  const body = JSON.stringify({ batch });
  const path = `/apps/${APP}/batch_events`;
  const md5 = crypto.createHash("md5").update(body).digest("hex");
  const time = Math.floor(Date.now() / 1000);
  const query = `auth_key=${KEY}&auth_timestamp=${time}&auth_version=1.0&body_md5=${md5}`;
  const signed = crypto.createHmac("sha256", SECRET).update(`POST\n${path}\n${query}`).digest("hex");
  const options = {
    agent, host: "127.0.0.1", port, method: "POST", path: `${path}?${query}&auth_signature=${signed}`,
    headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body) },
  };
  return new Promise((resolve, reject) => {
    const request = http.request(options, (response) => {
      response.resume();
      response.on("end", () => (response.statusCode === 200 ? resolve() : reject(new Error("" + response.statusCode))));
    });
    request.on("error", reject);
    request.end(body);
  });
}

let turn = Promise.resolve();
readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const [from, to, channel] = line.split(" ");
  turn = turn.then(async () => {
    for (let n = Number(from); n < Number(to); n += 10) {
      const batch = [];
      for (let m = n; m < Math.min(n + 10, Number(to)); m++) {
        batch.push({ name: "lead", channel, data: JSON.stringify({ id: "c" + (m % 50), n: m }) });
      }
      await send(batch);
    }
    console.log("published " + to);
  }).catch((error) => { console.error(error); process.exit(1); });
}).on("close", () => turn.then(() => process.exit(0)));
console.log("ready");
