// A real Bayeux server (Faye) that behaves as Salesforce's does where Faye knows nothing of it: a token is asked for,
// and a subscription may ask for a replay of what came after an id.
//
//   node bayeux.js            prints "listening <port>", then reads lines "<from> <to>" and publishes those events
const http = require("http");
const readline = require("readline");
const faye = require("faye");

const TOKEN = "00Ddemo!token";
const TOPIC = "/topic/Leads";
const kept = [];

const bayeux = new faye.NodeAdapter({ mount: "/cometd", timeout: 10 });
const engine = bayeux._server._engine;

bayeux.addExtension({
  incoming(message, request, callback) {
    if (message.channel === "/meta/subscribe" && message.ext && message.ext.replay) {
      asked.set(message.clientId, message.ext.replay[message.subscription]);
    }
    callback(message);
  },
  outgoing(message, request, callback) {
    if (message.channel === "/meta/handshake") message.ext = { replay: true };
    if (message.channel === "/meta/subscribe" && message.successful) replay(message.clientId);
    callback(message);
  },
});
const asked = new Map();

// What came after the id that was asked for, for this client only.
function replay(client) {
  const after = asked.get(client);
  if (after === undefined || after === -1) return;
  const memory = engine._engine;
  const missed = kept.filter((message) => message.data.event.replayId > after);
  const queued = memory._messages.get(client) || [];
  memory._messages.set(client, queued.concat(missed.map((message) => ({ ...message }))));
  memory.emptyQueue(client);
}

const server = http.createServer((request, response) => {
  if (request.url !== "/services/oauth2/token") {
    response.writeHead(404).end();
    return;
  }
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ access_token: TOKEN, instance_url: "http://" + request.headers.host }));
});
bayeux.attach(server);
const listeners = server.listeners("request").slice();
server.removeAllListeners("request");
server.on("request", (request, response) => {
  const bayeux = /^\/cometd\/[0-9.]+\/?/;
  if (bayeux.test(request.url)) {
    if (request.headers.authorization !== "Bearer " + TOKEN) {
      response.writeHead(401).end("[]");
      return;
    }
    request.url = request.url.replace(bayeux, "/cometd");
  }
  listeners.forEach((listener) => listener.call(server, request, response));
});
server.listen(0, "127.0.0.1", () => console.log("listening " + server.address().port));

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const [from, to] = line.split(" ").map(Number);
  for (let n = from; n < to; n++) {
    const event = { type: "created", createdDate: new Date().toISOString(), replayId: 3 * n + 17 };
    const message = { channel: TOPIC, data: { event, sobject: { Id: "c" + (n % 50), N__c: n } }, id: "m" + n };
    kept.push(message);
    engine.publish({ ...message });
  }
  console.log("published " + to);
}).on("close", () => process.exit(0));
