// Brings a page up to date when something happens, without a reload. Needs no script to be useful:
// the page is whole as it comes from the server.
const offline = document.getElementById("offline");
let timer = null;

// Times come in UTC; the reader's own zone is known here.
const clock = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
function localize(root) {
  for (const time of root.querySelectorAll("time")) time.textContent = clock.format(new Date(time.dateTime));
}

// Whether somebody fills in a form there: it stays as it is until the page is loaded anew.
const changed = (one) => one.value !== one.defaultValue && one.type !== "checkbox" || one.checked !== one.defaultChecked;
function inUse(element) {
  if (element.contains(document.activeElement?.closest("form"))) return true;
  const chosen = [...element.querySelectorAll("option")].some((one) => one.selected !== one.defaultSelected);
  return chosen || [...element.querySelectorAll("input, textarea")].some(changed);
}

// What its reader opened or closed stays so.
function likeBefore(one, known) {
  for (const here of [known, ...known.querySelectorAll("details[id]")]) {
    const there = here.id === one.id ? one : one.querySelector(`[id="${here.id}"]`);
    if (there?.matches("details")) there.open = here.open;
  }
}

// Of an element that is kept up to date: its children with an id are compared one by one, so that
// what did not change keeps its focus and its place.
function update(here, there) {
  const kept = new Map([...here.children].filter((one) => one.id).map((one) => [one.id, one]));
  const wanted = [...there.children].map((one) => {
    const known = kept.get(one.id);
    if (known) likeBefore(one, known);
    if (known && (inUse(known) || known.outerHTML === one.outerHTML)) return known;
    if (here.matches("ul") && !known) one.classList.add("fresh");
    return one;
  });
  if (wanted.length !== here.children.length || wanted.some((one, at) => here.children[at] !== one)) {
    here.replaceChildren(...wanted);
  }
}

async function refresh() {
  const response = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (response.redirected) return location.assign(response.url);
  if (!response.ok) return later(5000);
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

function follow() {
  const events = new EventSource("/dashboard/stream");
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
    setTimeout(follow, 5000);
  });
}

localize(document);
follow();
lookAgain();
