// Brings a page up to date when something happens, without a reload. Needs no script to be useful:
// the page is whole as it comes from the server.
const offline = document.getElementById("offline");
let timer = null;

// Times come in UTC; the reader's own zone is known here.
const clock = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
function localize(root) {
  for (const time of root.querySelectorAll("time")) time.textContent = clock.format(new Date(time.dateTime));
}

// Somebody writes in it: it stays as it is until they have sent it or gone away from it.
function inUse(element) {
  return [...element.querySelectorAll("textarea, select")].some((field) => {
    if (field === document.activeElement) return true;
    if (field.matches("textarea")) return field.value !== field.defaultValue;
    return field.selectedIndex !== Math.max(0, [...field.options].findIndex((one) => one.defaultSelected));
  });
}

// The link or button in `other` that is what `focused` is in `element`; null where it is not there.
function counterpart(focused, element, other) {
  const reached = "a, button, summary";
  const same = other.querySelectorAll(reached)[[...element.querySelectorAll(reached)].indexOf(focused)];
  return same && same.textContent === focused.textContent ? same : null;
}

// Of an element that is kept up to date: its children with an id are compared one by one, so that
// what did not change keeps its place, and what is written in or has the focus keeps that.
function update(here, there) {
  const kept = new Map([...here.children].filter((one) => one.id).map((one) => [one.id, one]));
  let focus = null;
  const wanted = [...there.children].map((one) => {
    const known = kept.get(one.id);
    if (known && (known.outerHTML === one.outerHTML || inUse(known))) return known;
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
  for (const opened of document.querySelectorAll("details[open]")) {
    const same = opened.id && page.getElementById(opened.id);
    if (same) same.open = true;
  }
  for (const here of document.querySelectorAll("[data-live]")) {
    const there = page.getElementById(here.id);
    if (there) update(here, there);
  }
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
