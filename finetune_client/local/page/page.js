// The page of the embedded server: the jobs, live. It shows what the API answers, and calls nothing
// else but the drawing of the curve. Every text of a file, a job or a message is set as text.

const KEY_NAME = "finetune-key";
const KEY_OF_AN_OPEN_SERVER = "local"; // without keys of its own the server takes any
const SOON_MS = 1000; // while a job is under way
const LATER_MS = 4000;
const CHOICES_MS = 10000; // how old the models and files to choose from may be
const JOBS = "/v1/fine_tuning/jobs";
const FINAL = ["succeeded", "failed", "cancelled"];
const UPLOAD = "upload";

const byId = (id) => document.getElementById(id);

// ---------------------------------------------------------------- calling the server

class RequestError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

let key = sessionStorage.getItem(KEY_NAME) ?? KEY_OF_AN_OPEN_SERVER;

// Not fetch: it cannot tell how much of a file has been sent, nor parse a drawing without a string.
function request(method, path, { json, form, headers = {}, kind = "json", onProgress } = {}) {
  return new Promise((resolve, reject) => {
    const call = new XMLHttpRequest();
    call.open(method, path);
    call.setRequestHeader("Authorization", `Bearer ${key}`);
    for (const [name, value] of Object.entries(headers)) call.setRequestHeader(name, value);
    if (json !== undefined) call.setRequestHeader("Content-Type", "application/json");
    call.responseType = kind;
    if (onProgress) {
      call.upload.addEventListener("progress", (event) => {
        if (event.lengthComputable) onProgress(event.loaded / event.total);
      });
    }
    call.addEventListener("error", () => reject(new RequestError(0, "The server does not answer.")));
    call.addEventListener("load", () => {
      const answer = call.response;
      if (call.status === 200 && answer !== null) resolve(answer);
      else reject(new RequestError(call.status, answer?.error?.message ?? `Status ${call.status}.`));
    });
    call.send(json === undefined ? form : JSON.stringify(json));
  });
}

const get = (path) => request("GET", path);
const pathOfJob = (id) => `${JOBS}/${encodeURIComponent(id)}`;

// ---------------------------------------------------------------- showing

// Only what has changed is touched, so that focus, selection and a screen reader stay where they are.
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function setShown(node, shown) {
  if (node.hidden !== shown) return;
  if (!shown && node.contains(document.activeElement)) byId("job-title").focus();
  node.hidden = !shown;
}

function make(tag, { text, ...attributes } = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  node.append(...children);
  return node;
}

// Make the children of `parent` those of `items`, in their order; a child stays while its key does.
function showList(parent, items, keyOf, create, update = () => {}) {
  const before = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let next = parent.firstElementChild;
  for (const item of items) {
    const name = String(keyOf(item));
    let child = before.get(name);
    before.delete(name);
    if (child === undefined) {
      child = create(item);
      child.dataset.key = name;
    }
    update(child, item);
    if (child === next) next = next.nextElementSibling;
    else parent.insertBefore(child, next);
  }
  for (const child of before.values()) child.remove();
}

function announce(text) {
  setText(byId("announcement"), text);
}

function showProblem(id, text) {
  setText(byId(id), text);
  setShown(byId(id), text !== "");
}

function showStatus(node, status) {
  setText(node, status.replaceAll("_", " "));
  node.dataset.status = status;
}

const timeOf = (seconds) => (seconds ? new Date(seconds * 1000).toLocaleString() : "");

const shortTimeOf = (seconds) =>
  new Date(seconds * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });

function rounded(value) {
  return typeof value === "number" ? String(Number(value.toPrecision(4))) : String(value);
}

// ---------------------------------------------------------------- what is shown

let chosen = ""; // the id of the job that is shown
let jobLimit = 20;
let eventLimit = 50;
let drawn = ""; // what the curve was drawn from
const statuses = new Map(); // of each job, as it was announced
const fileNames = new Map();

function nameOfJob(job) {
  return job.user_provided_suffix || job.id;
}

function showJobs(page) {
  setShown(byId("no-jobs"), page.data.length === 0);
  setShown(byId("jobs"), page.data.length > 0);
  setShown(byId("more-jobs"), page.has_more);
  showList(byId("job-rows"), page.data, (job) => job.id, createJobRow, updateJobRow);
  for (const job of page.data) announceStatus(job);
}

function createJobRow(job) {
  const link = make("a", { href: `#job=${encodeURIComponent(job.id)}`, text: nameOfJob(job) });
  const made = make("span", { class: "hint", text: shortTimeOf(job.created_at) });
  return make(
    "tr",
    {},
    make("th", { scope: "row" }, link, made),
    make("td", { text: job.model }),
    make("td", {}, make("span", { class: "status" })),
  );
}

function updateJobRow(row, job) {
  showStatus(row.querySelector(".status"), job.status);
  const link = row.querySelector("a");
  if (job.id === chosen) link.setAttribute("aria-current", "true");
  else link.removeAttribute("aria-current");
}

function announceStatus(job) {
  const before = statuses.get(job.id);
  statuses.set(job.id, job.status);
  if (before !== undefined && before !== job.status) {
    choicesUntil = 0; // there may be a new model
    announce(`Job ${nameOfJob(job)}: ${job.status.replaceAll("_", " ")}`);
  }
}

function showJob(job, events, checkpoints) {
  setShown(byId("job-hint"), false);
  setShown(byId("job-body"), true);
  setText(byId("job-title"), `Job ${nameOfJob(job)}`);
  showStatus(byId("job-status"), job.status);
  announceStatus(job);
  showActions(job.status);
  const error = job.error?.message ? [job.error.message, job.error.param && `(${job.error.param})`] : [];
  showProblem("job-error", error.filter(Boolean).join(" "));
  showProgress(job, events.data);
  showUse(job.fine_tuned_model);
  showFacts(job);
  showCheckpoints(checkpoints.data);
  showList(byId("events"), events.data, (event) => event.id, createEvent);
  setShown(byId("more-events"), events.has_more);
}

function showActions(status) {
  setShown(byId("pause"), ["queued", "running"].includes(status));
  setShown(byId("resume"), status === "paused");
  setShown(byId("cancel"), !FINAL.includes(status));
}

function showProgress(job, events) {
  const last = events.find((event) => event.data?.total_steps)?.data;
  const bar = byId("job-progress");
  setShown(bar, last !== undefined && !FINAL.includes(job.status));
  setText(byId("job-steps"), last ? `Step ${last.step} of ${last.total_steps}` : "");
  if (last) bar.value = last.step / last.total_steps;
  const { step, total_steps: _, ...measured } = last ?? {};
  const newest = numbersOf(measured).map(([name, value]) => `${name} ${rounded(value)}`);
  setText(byId("newest"), newest.length > 0 ? `Step ${step}: ${newest.join(", ")}` : "");
}

const numbersOf = (measured) =>
  Object.entries(measured ?? {}).filter(([, value]) => typeof value === "number");

function showFacts(job) {
  const settings = job.method?.[job.method.type]?.hyperparameters ?? job.hyperparameters ?? {};
  const facts = [
    ["Id", job.id],
    ["Model", job.model],
    ["Method", job.method?.type],
    ["Training file", nameOfFile(job.training_file)],
    ["Validation file", nameOfFile(job.validation_file)],
    ...Object.entries(settings).map(([name, value]) => [name.replaceAll("_", " "), rounded(value)]),
    ["seed", job.seed],
    ["Tokens trained", job.trained_tokens?.toLocaleString()],
    ["Result files", (job.result_files ?? []).join(", ")],
    ["Metadata", job.metadata && JSON.stringify(job.metadata)],
    ["Created", timeOf(job.created_at)],
    ["Finished", timeOf(job.finished_at)],
  ].filter(([, value]) => value !== undefined && value !== null && value !== "");
  showList(
    byId("facts"),
    facts,
    ([name]) => name,
    ([name]) => make("div", {}, make("dt", { text: name }), make("dd")),
    (row, [, value]) => setText(row.querySelector("dd"), String(value)),
  );
}

function nameOfFile(id) {
  return id && fileNames.has(id) ? `${fileNames.get(id)} (${id})` : id;
}

function showCheckpoints(checkpoints) {
  setShown(byId("no-checkpoints"), checkpoints.length === 0);
  setShown(byId("checkpoints"), checkpoints.length > 0);
  showList(byId("checkpoint-rows"), checkpoints, (one) => one.id, createCheckpoint);
}

function createCheckpoint(checkpoint) {
  const measured = numbersOf(checkpoint.metrics)
    .filter(([name]) => name !== "step")
    .map(([name, value]) => make("span", { class: "hint", text: `${name} ${rounded(value)}` }));
  return make(
    "tr",
    {},
    make("th", { scope: "row", text: String(checkpoint.step_number) }),
    make("td", {}, ...measured),
    make("td", {}, make("code", { text: checkpoint.fine_tuned_model_checkpoint })),
  );
}

function createEvent(event) {
  const at = new Date(event.created_at * 1000);
  return make(
    "li",
    {},
    make("time", { datetime: at.toISOString(), text: at.toLocaleTimeString() }),
    make("span", { "data-level": event.level, text: event.message }),
  );
}

// ---------------------------------------------------------------- using the model

const inShell = (text) => `'${text.replaceAll("'", `'"'"'`)}'`;

function showUse(model) {
  setShown(byId("use"), Boolean(model));
  if (!model) return;
  const base = `${location.origin}/v1`;
  const given = sessionStorage.getItem(KEY_NAME) === null ? KEY_OF_AN_OPEN_SERVER : "YOUR-KEY";
  const body = JSON.stringify({ model, messages: [{ role: "user", content: "Hello" }] });
  setText(byId("model-name"), model);
  setText(
    byId("use-python"),
    `from finetune_client import Client

with Client(api_key="${given}", base_url="${base}") as client:
    answer = client.chat.completions.create(
        model=${JSON.stringify(model)},
        messages=[{"role": "user", "content": "Hello"}],
    )
    print(answer.choices[0].message.content)`,
  );
  setText(
    byId("use-curl"),
    `curl ${base}/chat/completions \\
  -H 'Authorization: Bearer ${given}' -H 'Content-Type: application/json' \\
  -d ${inShell(body)}`,
  );
}

async function copyName() {
  try {
    await navigator.clipboard.writeText(byId("model-name").textContent);
    announce("The model's name was copied.");
  } catch (error) {
    showProblem("job-problem", `The browser does not let the name be copied: ${error.message}`);
  }
}

// ---------------------------------------------------------------- the curve

let notBefore = 0; // a long job is drawn less often, so that at most a tenth of the time is spent on it

async function showCurve(id, events) {
  const newest = events.data.find((event) => event.type === "metrics")?.id;
  setShown(byId("no-curve"), newest === undefined);
  setShown(byId("figure"), newest !== undefined);
  const place = byId("curve");
  const width = Math.round(place.clientWidth);
  const wanted = `${id} ${newest} ${width}`;
  if (width === 0 || wanted === drawn || (drawn && performance.now() < notBefore)) return;
  const began = performance.now();
  const path = `/ui/jobs/${encodeURIComponent(id)}/curve.svg?width=${width}`;
  const drawing = await request("GET", path, { kind: "document" });
  if (id !== chosen) return;
  place.replaceChildren(document.importNode(drawing.documentElement, true));
  drawn = wanted;
  notBefore = performance.now() + 9 * (performance.now() - began);
}

// ---------------------------------------------------------------- following

let timer = 0;
let isRefreshing = false;
let isAskedAgain = false;

async function refresh() {
  clearTimeout(timer);
  if (isRefreshing) {
    isAskedAgain = true;
    return;
  }
  isRefreshing = true;
  let wait = LATER_MS;
  try {
    const page = await get(`${JOBS}?limit=${jobLimit}`);
    setShown(byId("main"), true);
    showJobs(page);
    await refreshChosen();
    if (performance.now() > choicesUntil) await refreshChoices();
    setText(byId("connection"), "Live");
    if ([...statuses.values()].some((status) => !FINAL.includes(status))) wait = SOON_MS;
  } catch (error) {
    if (!showRequestError(error)) return;
  } finally {
    isRefreshing = false;
  }
  if (isAskedAgain) wait = 0;
  isAskedAgain = false;
  timer = setTimeout(refresh, wait);
}

async function refreshChosen() {
  const id = chosen;
  if (!id) return;
  try {
    const [job, events, checkpoints] = await Promise.all([
      get(pathOfJob(id)),
      get(`${pathOfJob(id)}/events?limit=${eventLimit}`),
      get(`${pathOfJob(id)}/checkpoints?limit=100`),
    ]);
    await learnFileNames([job.training_file, job.validation_file]);
    if (id !== chosen) return;
    showJob(job, events, checkpoints);
    await showCurve(id, events);
  } catch (error) {
    if (error.status !== 404) throw error;
    setShown(byId("job-body"), false);
    setText(byId("job-title"), "No such job");
    setText(byId("job-hint"), error.message);
    setShown(byId("job-hint"), true);
  }
}

async function learnFileNames(ids) {
  for (const id of ids) {
    if (!id || fileNames.has(id)) continue;
    try {
      fileNames.set(id, (await get(`/v1/files/${encodeURIComponent(id)}`)).filename);
    } catch (error) {
      if (error.status !== 404) throw error;
      fileNames.set(id, "deleted");
    }
  }
}

// Return whether to try again by itself: not while the server asks for a key.
function showRequestError(error) {
  if (!(error instanceof RequestError)) throw error;
  if (error.status === 401) {
    askForKey(error.message);
    return false;
  }
  setText(byId("connection"), `${error.message} Trying again …`);
  return true;
}

// ---------------------------------------------------------------- the key

function askForKey(reason) {
  const isNew = byId("key-form").hidden;
  setShown(byId("main"), false);
  setShown(byId("key-form"), true);
  setText(byId("connection"), "");
  // Without a key of the user's the server's reason speaks of a header; the title says enough.
  setText(byId("key-reason"), sessionStorage.getItem(KEY_NAME) === null ? "" : reason);
  if (isNew) byId("key").focus();
}

function useKey(event) {
  event.preventDefault();
  const given = byId("key").value.trim();
  if (!/^[\x21-\x7e]+$/.test(given)) {
    setText(byId("key-reason"), "A key has only letters, digits and signs of ASCII, and no spaces.");
    return;
  }
  key = given;
  sessionStorage.setItem(KEY_NAME, given);
  byId("key").value = "";
  setShown(byId("key-form"), false);
  setShown(byId("forget-key"), true);
  begin();
}

function forgetKey() {
  sessionStorage.removeItem(KEY_NAME);
  location.reload();
}

// ---------------------------------------------------------------- changing the chosen job

async function change(verb) {
  showProblem("job-problem", "");
  try {
    const job = await request("POST", `${pathOfJob(chosen)}/${verb}`);
    announceStatus(job);
  } catch (error) {
    if (error.status === 401) askForKey(error.message);
    else showProblem("job-problem", error.message);
  }
  await refresh();
}

function confirmCancel() {
  const dialog = byId("confirm");
  dialog.returnValue = "keep";
  dialog.showModal();
}

// ---------------------------------------------------------------- starting a job

let choicesUntil = 0;

async function refreshChoices() {
  choicesUntil = performance.now() + CHOICES_MS;
  const [models, files] = await Promise.all([
    get("/v1/models"),
    get("/v1/files?purpose=fine-tune&limit=200"),
  ]);
  for (const file of files.data) fileNames.set(file.id, file.filename);
  const known = files.data.map((file) => [file.id, `${file.filename} (${shortTimeOf(file.created_at)})`]);
  const upload = [UPLOAD, "A file on this computer …"];
  showOptions(byId("model"), models.data.map((model) => [model.id, model.id]));
  showOptions(byId("training-file"), [upload, ...known]);
  showOptions(byId("validation-file"), [["", "none"], upload, ...known]);
  showUploads();
}

function showOptions(select, options) {
  showList(select, options, ([value]) => value, ([value, text]) => make("option", { value, text }));
}

function showUploads() {
  for (const role of ["training", "validation"]) {
    const shown = byId(`${role}-file`).value === UPLOAD;
    const input = byId(`${role}-upload`);
    setShown(input, shown);
    setShown(input.labels[0], shown);
    input.required = shown;
  }
  const uploads = ["training", "validation"].some((role) => byId(`${role}-file`).value === UPLOAD);
  setText(byId("start"), uploads ? "Upload and start" : "Start");
}

// Return the id of the file that is chosen, once it has been uploaded.
async function fileOf(role) {
  const select = byId(`${role}-file`);
  if (select.value !== UPLOAD) return select.value || null;
  const [file] = byId(`${role}-upload`).files;
  const form = new FormData();
  form.append("purpose", "fine-tune");
  form.append("file", file);
  const bar = byId("upload-progress");
  bar.value = 0;
  setShown(bar, true);
  announce(`Uploading ${file.name}`);
  try {
    const onProgress = (part) => { bar.value = part; };
    const made = await request("POST", "/v1/files", { form, onProgress });
    fileNames.set(made.id, made.filename);
    await refreshChoices();
    select.value = made.id; // so that another try does not upload it again
    showUploads();
    return made.id;
  } finally {
    setShown(bar, false);
  }
}

let attempt = { body: "", id: "" }; // the create whose answer may have been lost

async function createJob(json) {
  const body = JSON.stringify(json);
  if (attempt.body !== body) {
    const random = crypto.getRandomValues(new Uint8Array(16));
    attempt = { body, id: [...random].map((byte) => byte.toString(16).padStart(2, "0")).join("") };
  }
  const job = await request("POST", JOBS, { json, headers: { "Idempotency-Key": attempt.id } });
  attempt = { body: "", id: "" };
  return job;
}

let isStarting = false;

async function startJob(event) {
  event.preventDefault();
  if (isStarting) return;
  isStarting = true;
  byId("start").setAttribute("aria-disabled", "true"); // "disabled" would take the focus away
  showProblem("new-problem", "");
  try {
    const training = await fileOf("training");
    const validation = await fileOf("validation");
    const epochs = byId("epochs").value;
    const type = byId("method").value;
    const hyperparameters = epochs === "" ? {} : { n_epochs: Number(epochs) };
    const job = await createJob({
      model: byId("model").value,
      training_file: training,
      validation_file: validation,
      suffix: byId("suffix").value.trim() || null,
      method: { type, [type]: { hyperparameters } },
    });
    announce(`Started job ${nameOfJob(job)}`);
    statuses.set(job.id, job.status);
    location.hash = `job=${encodeURIComponent(job.id)}`;
  } catch (error) {
    if (error.status === 401) askForKey(error.message);
    else showProblem("new-problem", error.message);
  } finally {
    isStarting = false;
    byId("start").removeAttribute("aria-disabled");
  }
}

// ---------------------------------------------------------------- beginning

function chooseFromAddress() {
  const id = new URLSearchParams(location.hash.slice(1)).get("job") ?? "";
  if (id === chosen) return false;
  chosen = id;
  drawn = "";
  eventLimit = 50;
  showProblem("job-problem", "");
  setShown(byId("job-body"), false);
  for (const list of ["events", "checkpoint-rows", "facts", "curve"]) byId(list).replaceChildren();
  setText(byId("job-title"), id ? "Loading …" : "No job is chosen");
  setText(byId("job-hint"), id ? "" : "Choose a job to see its curve, its events and its model.");
  setShown(byId("job-hint"), !id);
  return id !== "";
}

async function begin() {
  try {
    await refreshChoices();
  } catch (error) {
    if (!showRequestError(error)) return;
    timer = setTimeout(begin, LATER_MS);
    return;
  }
  await refresh();
}

byId("key-form").addEventListener("submit", useKey);
byId("forget-key").addEventListener("click", forgetKey);
byId("new-form").addEventListener("submit", startJob);
byId("training-file").addEventListener("change", showUploads);
byId("validation-file").addEventListener("change", showUploads);
byId("pause").addEventListener("click", () => change("pause"));
byId("resume").addEventListener("click", () => change("resume"));
byId("cancel").addEventListener("click", confirmCancel);
byId("confirm").addEventListener("close", () => {
  if (byId("confirm").returnValue === "cancel") change("cancel");
});
byId("copy-name").addEventListener("click", copyName);
byId("copy-name").hidden = navigator.clipboard === undefined; // only where the connection is safe
byId("more-jobs").addEventListener("click", () => { jobLimit += 50; refresh(); });
byId("more-events").addEventListener("click", () => { eventLimit += 200; refresh(); });
addEventListener("resize", () => refresh());
addEventListener("hashchange", () => {
  if (chooseFromAddress()) byId("job-title").focus();
  refresh();
});

byId("forget-key").hidden = sessionStorage.getItem(KEY_NAME) === null;
chooseFromAddress();
begin();
