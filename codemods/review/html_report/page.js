"use strict";
(() => {
  const form = document.getElementById("filters");
  const shown = document.getElementById("shown");
  const help = document.getElementById("help");
  const view = document.getElementById("view");
  const cards = [...document.querySelectorAll(".card")];
  const places = [...document.querySelectorAll(".alone")];
  const wide = matchMedia("(min-width: 60rem)");
  const texts = new Map(); // what the text filter looks at, made when it is first used
  let isSplit = false;
  let current = null; // the group that the keys are about

  // --- making elements: text goes into text nodes, never into markup ---

  const element = (name, className = "", ...children) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    made.append(...children);
    return made;
  };
  const dataOf = (card) => JSON.parse(card.querySelector(".data").textContent);
  const textOf = (line) => (typeof line === "string" ? line : line[0]);

  // --- a line of code ---

  /** Where two lines differ: [from, to of the old, to of the new]; null when marking it would tell nothing. */
  const difference = (old, now) => {
    const shorter = Math.min(old.length, now.length);
    let from = 0;
    while (from < shorter && old[from] === now[from]) from++;
    let tail = 0;
    while (tail < shorter - from && old[old.length - 1 - tail] === now[now.length - 1 - tail]) tail++;
    const same = old.slice(0, from).trim().length + (tail ? old.slice(old.length - tail).trim().length : 0);
    return same * 2 < Math.min(old.trim().length, now.trim().length) ? null : [from, old.length - tail, now.length - tail];
  };

  /** The nodes of a line: its colours, and a mark from one place to another. */
  const codeOf = (line, from, to) => {
    const [text, colours = "", cut = 0, end = ""] = typeof line === "string" ? [line] : line;
    const nodes = [];
    const put = (start, stop, colour) => {
      for (const [first, last, marked] of [[start, Math.min(stop, from), false], [Math.max(start, from), Math.min(stop, to), true], [Math.max(start, to), stop, false]]) {
        if (first >= last) continue;
        const piece = text.slice(first, last);
        const node = colour === "." ? piece : element("span", colour, piece);
        nodes.push(marked ? element("mark", "", node) : node);
      }
    };
    let at = 0;
    for (const [, length, colour] of colours.matchAll(/(\d+)([a-z.])/g)) {
      put(at, at + Number(length), colour);
      at += Number(length);
    }
    put(at, text.length, ".");
    if (cut) nodes.push(element("span", "rest", `and ${cut.toLocaleString("en")} characters more`));
    if (end) nodes.push(element("span", "rest", end));
    return nodes;
  };

  const codeCell = (kind, sign, line, from = Infinity, to = Infinity) => {
    const cell = element("td", `code ${kind}`, element("span", "sign", sign));
    cell.append(...codeOf(line, from, to));
    return cell;
  };
  const numberCell = (kind, number) => element("td", `number ${kind}`, number === null ? "" : String(number));

  // --- a file: the same rows in two views ---

  const spanning = (name, className, columns, ...children) => {
    const cell = element(name, className, ...children);
    cell.colSpan = columns;
    return element("tr", "", cell);
  };

  const notesOf = (notes, number, columns) =>
    (notes[number] || []).map(([kind, label, text]) => spanning("td", `note ${kind}`, columns, element("b", "", label), text));

  /** The rows of a run of changed lines, `[number, line, number, line]` each. */
  const unifiedRun = (run, notes) => {
    const rows = [];
    const marks = run.map(([, old, , now]) => (old !== null && now !== null ? difference(textOf(old), textOf(now)) : null));
    run.forEach(([number, line], at) => {
      if (line === null) return;
      const [from, to] = marks[at] || [];
      rows.push(element("tr", "", numberCell("del", number), numberCell("del", null), codeCell("del", "-", line, from, to)));
      rows.push(...notesOf(notes, number, 3));
    });
    run.forEach(([, , number, line], at) => {
      if (line === null) return;
      const [from, , to] = marks[at] || [];
      rows.push(element("tr", "", numberCell("add", null), numberCell("add", number), codeCell("add", "+", line, from, to)));
    });
    return rows;
  };

  const splitRun = (run, notes) => {
    const rows = [];
    for (const [number, old, newNumber, now] of run) {
      const [from, to, newTo] = (old !== null && now !== null && difference(textOf(old), textOf(now))) || [];
      const row = element("tr");
      if (old === null) row.append(numberCell("gap", null), element("td", "code gap"));
      else row.append(numberCell("del", number), codeCell("del", "-", old, from, to));
      if (now === null) row.append(numberCell("gap", null), element("td", "code gap"));
      else row.append(numberCell("add", newNumber), codeCell("add", "+", now, from, newTo));
      rows.push(row);
      if (old !== null) rows.push(...notesOf(notes, number, 4));
    }
    return rows;
  };

  const diffOf = (file, split) => {
    const columns = split ? 4 : 3;
    const body = element("tbody");
    for (const hunk of file.hunks) {
      let old = hunk.old;
      let now = hunk.new;
      let run = [];
      const flush = () => {
        body.append(...(split ? splitRun : unifiedRun)(run, file.notes));
        run = [];
      };
      body.append(spanning("th", "head", columns, hunk.head));
      for (const row of hunk.rows) {
        if (row.length === 2) {
          run.push([old, row[0], now, row[1]]);
          old += row[0] !== null;
          now += row[1] !== null;
          continue;
        }
        flush();
        const cells = [numberCell("", old), codeCell("", "", row[0])];
        if (split) cells.push(numberCell("", now), codeCell("", "", row[0]));
        else cells.splice(1, 0, numberCell("", now));
        body.append(element("tr", "", ...cells), ...notesOf(file.notes, old, columns));
        old++;
        now++;
      }
      flush();
    }
    const widths = element("colgroup");
    for (const name of split ? ["number", "", "number", ""] : ["number", "number", ""]) widths.append(element("col", name));
    return element("table", `diff ${split ? "split" : "unified"}`, element("caption", "unseen", `Changes of ${file.path}`), widths, body);
  };

  const fileOf = (file, split) => {
    const title = element("h4", "", element("span", "path", file.path));
    const made = element("section", "file", title);
    if (!file.hunks.length) {
      made.append(element("p", "", file.new ? "A new file without a line." : "There is no diff of this file."));
      return made;
    }
    if (file.new) title.append(element("span", "badge", "new file"));
    title.append(element("span", "plus", `+${file.added}`), element("span", "minus", `-${file.removed}`));
    made.append(diffOf(file, split));
    return made;
  };

  // --- groups ---

  const splitNow = () => isSplit && wide.matches;
  const isBuilt = (card) => card.dataset.view === (splitNow() ? "split" : "unified");

  const build = (card) => {
    if (isBuilt(card)) return;
    card.querySelector(".files").replaceChildren(...dataOf(card).files.map((file) => fileOf(file, splitNow())));
    card.dataset.view = splitNow() ? "split" : "unified";
  };
  const detailsOf = (card) => card.querySelector("details");
  const summaryOf = (card) => card.querySelector("summary");
  const visibleCards = () => cards.filter((card) => !card.hidden);

  const showView = () => {
    view.disabled = !wide.matches;
    view.title = wide.matches ? "" : "The window is too narrow";
    view.setAttribute("aria-pressed", String(splitNow()));
    cards.filter((card) => detailsOf(card).open).forEach(build);
  };

  const focusOn = (card) => {
    current = card;
    summaryOf(card).focus();
    summaryOf(card).scrollIntoView({ block: "nearest" });
  };

  const step = (by) => {
    const all = visibleCards();
    if (!all.length) return;
    const at = all.indexOf(current);
    if (at < 0) {
      const below = all.find((card) => card.getBoundingClientRect().bottom > 0);
      focusOn(by > 0 ? below || all[0] : all[0]);
    } else focusOn(all[Math.min(Math.max(at + by, 0), all.length - 1)]);
  };

  /** Opens many groups a few at a time, so that the page goes on answering. */
  const openAll = (waiting) => {
    for (const card of waiting.splice(0, 25)) {
      build(card);
      detailsOf(card).open = true;
    }
    if (waiting.length) requestAnimationFrame(() => openAll(waiting));
  };

  // --- filters ---

  const searched = (item) => {
    if (!texts.has(item)) {
      const parts = [...item.querySelectorAll("summary, .id, .decision, .why, .where, .message, .advice")].map((one) => one.textContent);
      if (item.classList.contains("card")) {
        for (const file of dataOf(item).files) {
          parts.push(file.path);
          for (const hunk of file.hunks) for (const row of hunk.rows) for (const line of row) if (line !== null) parts.push(textOf(line));
        }
      }
      texts.set(item, parts.join("\n").toLowerCase());
    }
    return texts.get(item);
  };

  const filter = () => {
    const wanted = Object.fromEntries(new FormData(form));
    const text = wanted.text.trim().toLowerCase();
    const path = wanted.path.trim().toLowerCase();
    const fits = (item, level, decision) =>
      (!wanted.level || wanted.level === level) &&
      (!wanted.decision || wanted.decision === decision) &&
      (!wanted.rule || item.dataset.rules.split(" ").includes(wanted.rule)) &&
      (!path || item.dataset.paths.toLowerCase().includes(path)) &&
      (!text || searched(item).includes(text));
    for (const card of cards) card.hidden = !fits(card, card.dataset.level, card.dataset.decision);
    for (const place of places) {
      const list = place.closest("section").dataset.list;
      place.hidden = !fits(place, list === "alone" ? "manual" : list, "");
    }
    for (const list of document.querySelectorAll("[data-list]")) {
      const held = [...list.querySelectorAll(".alone")];
      list.hidden = held.length > 0 && held.every((place) => place.hidden);
    }
    const alone = places.filter((place) => place.closest("section").dataset.list === "alone");
    const of = (items, what) => `${items.filter((one) => !one.hidden).length} of ${items.length} ${what}`;
    shown.textContent = `${of(cards, "groups")} · ${of(alone, "left alone")}`;
  };

  let waiting = 0;
  const filterSoon = () => {
    clearTimeout(waiting);
    waiting = setTimeout(filter, 120);
  };

  // --- what a person does ---

  form.addEventListener("input", filterSoon);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(filter));
  view.addEventListener("click", () => {
    isSplit = !isSplit;
    showView();
  });
  wide.addEventListener("change", showView);
  document.getElementById("open-all").addEventListener("click", () => openAll(visibleCards()));
  document.getElementById("close-all").addEventListener("click", () => cards.forEach((card) => (detailsOf(card).open = false)));
  document.getElementById("help-button").addEventListener("click", () => help.showModal());
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-filter]");
    if (!button) return;
    form.elements[button.dataset.filter].value = button.dataset.value;
    filter();
    document.querySelector(".filters").scrollIntoView();
  });
  document.addEventListener("focusin", (event) => {
    const card = event.target.closest(".card");
    if (card) current = card;
  });
  document.addEventListener(
    "toggle",
    (event) => {
      if (event.target.matches("details.group") && event.target.open) build(event.target.closest(".card"));
    },
    true, // it does not bubble
  );
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    if (event.target.matches("input, select, textarea")) {
      if (event.key !== "Escape") return;
      event.preventDefault(); // a browser would empty the field, and not say so
      event.target.blur();
      return;
    }
    const keys = {
      j: () => step(1),
      k: () => step(-1),
      e: () => current && !current.hidden && (detailsOf(current).open = !detailsOf(current).open),
      v: () => !view.disabled && view.click(),
      "/": () => form.elements.text.focus(),
      "?": () => help.showModal(),
    };
    if (!Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    keys[event.key]();
  });

  const follow = () => {
    const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!named || !named.matches("details.group")) return;
    named.open = true;
    focusOn(named.closest(".card"));
  };
  addEventListener("hashchange", follow);
  showView();
  filter();
  follow();
})();
