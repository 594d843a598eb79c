// The providers' own clients for Node, to be asked line by line: JSON in, JSON out. (Those for Python: sdks.py.)
const readline = require("readline");

const clients = {
  // Logs in with user and password, and makes a record.
  async salesforce_create({ url, account, object, record }) {
    const { Connection } = require("jsforce");
    const oauth2 = {
      loginUrl: url,
      clientId: account["consumer-key"],
      clientSecret: account["consumer-secret"],
      redirectUri: "http://localhost/",
    };
    const connection = new Connection({ version: "59.0", oauth2 });
    await connection.login(account.username, account.password + account["secret-token"]);
    return connection.sobject(object).create(record);
  },

  async zendesk_ticket({ url, account, ticket }) {
    const { createClient } = require("node-zendesk");
    const { email, token } = account;
    const client = createClient({ username: email, token, endpointUri: url + "/api/v2" });
    const made = await client.tickets.create({ ticket });
    return made.result || made;
  },

  // Listens to a stream until it has heard so many interactions.
  async datasift_stream({ host, port, account, hash, count }) {
    const DataSift = require("datasift");
    const client = new DataSift(account.username, account["api-key"], host, port);
    const heard = { interactions: [], ticks: 0 };
    await new Promise((done, failed) => {
      client.on("error", failed);
      client.on("connect", () => client.subscribe(hash));
      client.on("tick", () => heard.ticks++);
      client.on("interaction", (interaction) => {
        if (heard.interactions.push(interaction) === count) done();
      });
      client.connect();
    });
    client.disconnect(true);
    return heard;
  },
};

async function answer(line) {
  const asked = JSON.parse(line);
  try {
    return await clients[asked.sdk](asked);
  } catch (error) {
    // What it does not take is what the test wants to know.
    return { error: String(error) };
  }
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await answer(line)));
  }
})();
