// SPDX-License-Identifier: Apache-2.0
// Verifies with the published Standard Webhooks library: one JSON object a
// line {secret, headers, body (base64)}, one line of answer: "ok" or why not.
const { Webhook } = require("standardwebhooks");
const readline = require("readline");

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const { secret, headers, body } = JSON.parse(line);
  const options = secret.startsWith("whsec_") ? {} : { format: "raw" };
  try {
    new Webhook(secret, options).verify(
      Buffer.from(body, "base64").toString(), headers);
    console.log("ok");
  } catch (error) {
    console.log(String(error.message));
  }
});
