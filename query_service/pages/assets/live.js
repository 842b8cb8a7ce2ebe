// Brings a page up to date when something happens, without a reload. Needs no script to be useful:
// the page is whole as it comes from the server.
const offline = document.getElementById("offline");
let timer = null;

// Times come in UTC; the reader's own zone is known here.
const clock = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
function localize(root) {
  for (const time of root.querySelectorAll("time")) time.textContent = clock.format(new Date(time.dateTime));
}

// Whether somebody fills in a form there: it stays as it is until they have sent it or gone away.
const changed = (one) => one.value !== one.defaultValue && one.type !== "checkbox" || one.checked !== one.defaultChecked;
const first = (field) => Math.max(0, [...field.options].findIndex((one) => one.defaultSelected));
function inUse(element) {
  const writing = document.activeElement?.closest("input, textarea, select");
  if (writing && element.contains(writing)) return true;
  const chosen = [...element.querySelectorAll("select")].some((field) => field.selectedIndex !== first(field));
  return chosen || [...element.querySelectorAll("input, textarea")].some(changed);
}

// The link or button in `other` that is what `focused` is in `element`; null where it is not there.
function counterpart(focused, element, other) {
  const reached = "a, button, summary";
  const same = other.querySelectorAll(reached)[[...element.querySelectorAll(reached)].indexOf(focused)];
  return same && same.textContent === focused.textContent ? same : null;
}

// What its reader opened or closed stays so.
function likeBefore(one, known) {
  for (const here of [known, ...known.querySelectorAll("details[id]")]) {
    const there = here.id === one.id ? one : one.querySelector(`[id="${here.id}"]`);
    if (there?.matches("details")) there.open = here.open;
  }
}

// Of an element that is kept up to date: its children with an id are compared one by one, so that
// what did not change keeps its place, and what is written in or has the focus keeps that.
function update(here, there) {
  const kept = new Map([...here.children].filter((one) => one.id).map((one) => [one.id, one]));
  let focus = null;
  const wanted = [...there.children].map((one) => {
    const known = kept.get(one.id);
    if (known) likeBefore(one, known);
    if (known && (known === offline || known.outerHTML === one.outerHTML || inUse(known))) return known;
    if (known && known.contains(document.activeElement)) focus = counterpart(document.activeElement, known, one);
    if (here.matches("ul") && !known) one.classList.add("fresh");
    return one;
  });
  wanted.push(...[...kept.values()].filter((one) => !wanted.includes(one) && inUse(one)));
  for (const one of [...here.children]) if (!wanted.includes(one)) one.remove();
  wanted.forEach((one, at) => here.children[at] !== one && here.insertBefore(one, here.children[at] || null));
  if (focus) focus.focus();
}

async function refresh() {
  const response = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (response.redirected) return location.assign(response.url);
  if (!response.ok) throw new Error(response.statusText);
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  localize(page);
  for (const here of document.querySelectorAll("[data-live]")) {
    const there = page.getElementById(here.id);
    if (there) update(here, there);
  }
  lookAgain();
}

// What is not yet complete is looked at again, whatever is said of it meanwhile.
function lookAgain() {
  if (document.querySelector("[data-again]")) later(2000);
}

// Several events become one refresh.
function later(milliseconds = 250) {
  clearTimeout(timer);
  timer = setTimeout(() => refresh().catch(() => later(5000)), milliseconds);
}

// Where nothing tells what happens, the page is asked for again, as long as it can be seen.
async function repeat(milliseconds) {
  if (!document.hidden) await refresh().then(() => { offline.hidden = true; }, () => { offline.hidden = false; });
  setTimeout(repeat, milliseconds, milliseconds);
}

function follow(stream) {
  const events = new EventSource(stream);
  let lost = false;
  events.addEventListener("alert", () => later());
  events.addEventListener("change", () => later());
  events.addEventListener("open", () => {
    offline.hidden = true;
    if (lost) later();
    lost = false;
  });
  events.addEventListener("error", () => {
    lost = true;
    offline.hidden = false;
    if (events.readyState !== EventSource.CLOSED) return;
    later();
    setTimeout(follow, 5000, stream);
  });
}

localize(document);
const { stream, refresh: seconds } = document.querySelector("main").dataset;
if (stream) follow(stream);
if (seconds) setTimeout(repeat, seconds * 1000, seconds * 1000);
lookAgain();
