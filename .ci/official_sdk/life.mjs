// The official SDK for JavaScript, through the life of a job on the server of this package.
import assert from "node:assert/strict";
import OpenAI, { toFile } from "openai";

const client = new OpenAI({ apiKey: "none", baseURL: process.argv[2], maxRetries: 0 });
const rows = Array.from({ length: 20 }, (_, n) => ({
  messages: [
    { role: "user", content: `${n} + 1` },
    { role: "assistant", content: `${n + 1}` },
  ],
}));
const text = rows.map((row) => JSON.stringify(row) + "\n").join("");

const file = await client.files.create({
  file: await toFile(Buffer.from(text), "train.jsonl"),
  purpose: "fine-tune",
});
assert.equal(file.bytes, Buffer.byteLength(text));
assert.equal(await (await client.files.content(file.id)).text(), text);

let job = await client.fineTuning.jobs.create({
  model: "tiny",
  training_file: file.id,
  method: { type: "supervised", supervised: { hyperparameters: { n_epochs: 2 } } },
  metadata: { who: "node" },
});
for (const until = Date.now() + 60_000; job.status !== "succeeded"; ) {
  assert.ok(Date.now() < until && job.status !== "failed", job.status);
  await new Promise((resume) => setTimeout(resume, 50));
  job = await client.fineTuning.jobs.retrieve(job.id);
}
const events = [];
for await (const event of client.fineTuning.jobs.listEvents(job.id, { limit: 3 })) {
  events.push(event.id);
}
assert.ok(events.length > 3 && new Set(events).size === events.length);
const checkpoints = await client.fineTuning.jobs.checkpoints.list(job.id);
assert.ok(checkpoints.data.length > 0);
const found = [];
for await (const one of client.fineTuning.jobs.list({ limit: 1 })) found.push(one.id);
assert.ok(found.includes(job.id));
assert.ok((await client.models.delete(job.fine_tuned_model)).deleted);
await assert.rejects(client.fineTuning.jobs.retrieve("ftjob-none"), OpenAI.NotFoundError);
console.log("ok life.mjs");
