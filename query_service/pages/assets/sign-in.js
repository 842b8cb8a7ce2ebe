// A link may carry the token behind its `#`, where it reaches no server and no log.
const carried = location.hash.slice(1);
if (carried) {
  history.replaceState(null, "", location.pathname);
  document.getElementById("token").value = decodeURIComponent(carried);
  document.getElementById("sign-in").requestSubmit();
}
