"use strict";
// What changes by itself is shown as it changes: the page asks for itself, while somebody looks at it.
document.documentElement.classList.add("js");
(() => {
  const main = document.querySelector("main");
  const seconds = () => Number(main.dataset.refresh || 0);
  let pause = 1;
  // Nothing is taken from under somebody's hands.
  const busy = () => document.hidden || main.querySelector("details[open], :focus");
  const look = async () => {
    if (!seconds()) return;
    if (!busy()) {
      try {
        const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
        if (answer.redirected) return location.reload();
        if (!answer.ok) throw new Error(answer.status);
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const fresh = page.querySelector("main");
        if (!busy() && fresh && fresh.innerHTML !== main.innerHTML) {
          main.replaceChildren(...fresh.childNodes);
          document.title = page.title;
        }
        if (fresh && fresh.dataset.refresh) main.dataset.refresh = fresh.dataset.refresh;
        else delete main.dataset.refresh;
        pause = 1;
      } catch {
        pause = Math.min(pause * 2, 16); // it does not answer: ask more and more rarely
      }
    }
    setTimeout(look, seconds() * 1000 * pause);
  };
  setTimeout(look, seconds() * 1000);
})();
// A form that shows what it comes to while somebody writes, and keeps what they wrote whatever happens.
(() => {
  const form = document.querySelector("form[data-preview]");
  if (!form) return;
  const lost = () => document.getElementById("lost");
  const post = async (to, button) => {
    const body = new URLSearchParams(new FormData(form));
    if (button && button.name) body.append(button.name, button.value);
    return fetch(to, { method: "POST", body });
  };
  const parse = async (answer) => new DOMParser().parseFromString(await answer.text(), "text/html");
  // One after the other: a form goes to one place at a time.
  let round = 0;
  const frames = async () => {
    const mine = ++round;
    for (const button of form.querySelectorAll("[data-frame]")) {
      if (mine !== round) return;
      const frame = form.querySelector(`iframe[name="${button.getAttribute("formtarget")}"]`);
      const loaded = new Promise((done) => frame.addEventListener("load", done, { once: true }));
      form.requestSubmit(button);
      await loaded;
    }
  };
  const show = (page) => {
    for (const fresh of page.querySelectorAll("[data-live]")) {
      const old = document.getElementById(fresh.id);
      if (old && old.innerHTML !== fresh.innerHTML) old.replaceWith(fresh);
    }
  };
  let timer = 0, turn = 0;
  const update = async () => {
    const mine = ++turn;
    try {
      const answer = await post(form.dataset.preview);
      if (mine !== turn || answer.redirected || !answer.ok) return;
      const page = await parse(answer);
      show(page);
      lost().hidden = true;
      if (page.querySelector("[data-frame]")) frames();
    } catch {
      lost().hidden = false;
    }
  };
  form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(update, 400); });
  form.addEventListener("submit", async (event) => {
    const button = event.submitter;
    if (button && button.dataset.frame !== undefined) return; // into its frame
    event.preventDefault();
    clearTimeout(timer);
    turn++;
    try {
      const answer = await post(button && button.getAttribute("formaction") || form.getAttribute("action"), button);
      if (answer.redirected && !answer.url.includes("/sign-in")) return location.assign(answer.url);
      const page = await parse(answer);
      if (!page.querySelector("form[data-preview]")) throw new Error(answer.status);
      if (button && button.dataset.redraws !== undefined) {
        form.querySelector(".fields").replaceWith(page.querySelector(".fields"));
      }
      show(page);
      form.elements.id.value = page.querySelector("[name=id]").value;
      const wrong = [...form.querySelectorAll(".problem")].find((one) => one.textContent.trim() && !one.hidden);
      if (wrong) wrong.scrollIntoView({ block: "center" });
      if (page.querySelector("[data-frame]")) frames();
    } catch {
      lost().hidden = false;
      lost().scrollIntoView({ block: "center" });
    }
  });
  frames();
})();
// What is done in steps goes on by itself; as a page is left before it is there, there is no way back into it.
document.querySelector("form[data-goes-on]")?.requestSubmit();
