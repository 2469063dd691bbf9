// Show a view in igv.js: what it holds is read from the server, which says who may.
"use strict";

const asked = new URLSearchParams(location.search);
const files = new URL(`files/${encodeURIComponent(asked.get("sequence") || "")}/`, document.baseURI);
const words = document.getElementById("words");
const place = document.getElementById("browser");
document.documentElement.dataset.look = asked.get("look") === "dark" ? "dark" : "light";

function address(name) {
  return new URL(encodeURIComponent(name), files).href;
}

function say(state, text) {
  document.body.dataset.state = state;
  words.textContent = text;
}

// Alone in a window, there is a way back to the page that this stands in otherwise.
function showWayBack() {
  if (window.top !== window) return;
  const back = new URL("../long-sequences", document.baseURI);
  back.search = asked.get("page") || "";
  const link = document.querySelector("#back a");
  link.href = back.href;
  link.parentElement.hidden = false;
}

// In a tab that is not shown a frame has no width, and igv.js would draw nothing in it for good.
function whenThereIsRoom() {
  return new Promise((resolve) => {
    const watcher = new ResizeObserver(() => {
      if (place.clientWidth > 0) {
        watcher.disconnect();
        resolve();
      }
    });
    watcher.observe(place);
  });
}

async function show() {
  showWayBack();
  if (typeof igv === "undefined") {
    say("failed", "igv.js, which draws the genome browser, is not installed here. Who looks after this server "
      + "can fetch it: python scripts/fetch_igv.py");
    return;
  }
  const answer = await fetch(address(asked.get("view") || ""));
  if (!answer.ok) {
    say("failed", "These files were cleared away, or are not yours to see. The page Long sequences makes them anew.");
    return;
  }
  const view = await answer.json();
  const reference = { ...view.reference, fastaURL: address(view.reference.fastaURL), indexURL: address(view.reference.indexURL), wholeGenomeView: false };
  const tracks = view.tracks.map((track) => ({ ...track, url: address(track.url) }));
  await whenThereIsRoom();
  const browser = await igv.createBrowser(place, {
    reference,
    tracks,
    locus: view.locus,
    loadDefaultGenomes: false,
    search: false,
    showSampleNames: false,
    showCircularViewButton: false,
    minimumBases: 20,
  });
  // For people's own scripts, and for tests.
  window.genomeBrowser = browser;
  document.title = `${view.locus} - genome browser`;
  say("drawn", "");
}

show().catch((error) => say("failed", `The genome browser could not be opened: ${error.message || error}`));
