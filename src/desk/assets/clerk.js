// The clerk's page: shows what the station tells, and sounds it. It sends nothing, and writes text only, never markup.
"use strict";
(() => {
  const SHOWN_MAX = 10;
  const SILENCE_MAX_MS = 12000;
  const by = (id) => document.getElementById(id);
  const main = by("main");
  const is_practice = main.dataset.practice === "true";
  let daemon = null;
  let last_number = -1;
  let heard_at = performance.now();
  let turn = 0;

  // Tones: [frequency in Hz, begin, length] in seconds; the wave makes bad and alarm rough. Each differs in rhythm, too.
  const TONES = {
    good: ["sine", [[1047, 0, 0.12]]],
    notice: ["triangle", [[659, 0, 0.14], [659, 0.22, 0.14]]],
    bad: ["square", [[196, 0, 0.6]]],
    alarm: ["sawtooth", [[988, 0, 0.2], [494, 0.2, 0.2], [988, 0.4, 0.2], [494, 0.6, 0.2], [988, 0.8, 0.2], [494, 1.0, 0.2]]],
    command: ["sine", [[523, 0, 0.1], [659, 0.1, 0.1], [784, 0.2, 0.16]]],
    found: ["sine", [[784, 0, 0.1], [1175, 0.12, 0.16]]],
  };
  // Practice sounds like nothing else: a low knock before each tone.
  const KNOCK = [110, 0, 0.08];
  const VOLUME = 0.35;
  const Audio = window.AudioContext || window.webkitAudioContext;
  const audio = Audio ? new Audio() : null;
  let sounding = null;

  const show_sound = () => { by("sound").hidden = !audio || audio.state === "running"; };

  const sound = (tone) => {
    document.body.dataset.sounded = tone;
    const [wave, notes] = TONES[tone] || TONES.alarm;
    if (!audio || audio.state !== "running") { return; }
    // A new verdict is heard at once: what sounds still is cut.
    if (sounding) { sounding.disconnect(); }
    const gain = audio.createGain();
    gain.connect(audio.destination);
    sounding = gain;
    const delay = is_practice ? 0.14 : 0;
    const all = notes.map(([hz, begin, length]) => [wave, hz, begin + delay, length]);
    if (is_practice) { all.unshift(["square", ...KNOCK]); }
    const now = audio.currentTime;
    gain.gain.setValueAtTime(0, now);
    for (const [shape, hz, begin, length] of all) {
      const voice = audio.createOscillator();
      voice.type = shape;
      voice.frequency.value = hz;
      voice.connect(gain);
      gain.gain.setValueAtTime(VOLUME, now + begin);
      gain.gain.setValueAtTime(0, now + begin + length - 0.01);
      voice.start(now + begin);
      voice.stop(now + begin + length);
    }
  };

  const text = (id, value) => {
    const place = by(id);
    const written = value === null || value === undefined ? "" : String(value);
    if (place.textContent !== written) { place.textContent = written; }
  };

  const show_state = (state) => {
    text("batch", state.batch);
    text("batch-scans", state.batch_scans);
    text("batch-about", state.batch_about);
    text("day", state.day);
    text("day-scans", state.day_scans);
    text("day-good", state.day_good);
    text("day-notice", state.day_notice);
    text("day-bad", state.day_bad);
    text("unsent", state.unsent);
    const troubles = by("troubles");
    const wanted = JSON.stringify(state.troubles);
    if (troubles.dataset.shown === wanted) { return; }
    troubles.dataset.shown = wanted;
    troubles.replaceChildren(...state.troubles.map((trouble) => {
      const item = document.createElement("li");
      item.className = trouble.level;
      item.textContent = trouble.says;
      return item;
    }));
  };

  const row_of = (scan) => {
    const row = document.createElement("tr");
    row.dataset.tone = scan.tone;
    row.dataset.number = scan.number;
    for (const value of [scan.place, scan.says, scan.ballot, scan.scanner, scan.time]) {
      const cell = document.createElement("td");
      cell.textContent = value || "";
      row.append(cell);
    }
    return row;
  };

  const show_verdict = (scan) => {
    main.dataset.tone = scan.tone;
    main.dataset.verdict = scan.verdict;
    main.dataset.number = scan.number;
    turn = 1 - turn;
    main.dataset.turn = turn;
    text("says", scan.says);
    text("why", scan.why);
    text("todo", scan.todo);
    text("about", [scan.ballot, scan.place].filter(Boolean).join(" \u00b7 "));
    text("text", scan.text);
  };

  const show_idle = () => {
    main.dataset.tone = "idle";
    delete main.dataset.verdict;
    delete main.dataset.number;
    text("says", by("says").dataset.idle);
    for (const id of ["why", "todo", "about", "text", "live"]) { text(id, ""); }
  };

  // The begin of a stream: what came while nobody listened is shown, and not sounded, for its envelope is gone.
  const take_all = (told) => {
    by("scans").replaceChildren(...told.scans.map(row_of));
    const newest = told.scans[0];
    const is_first = daemon === null;
    const is_another = !is_first && told.daemon !== daemon;
    if (!is_first && told.has_verdict && (is_another || newest.number !== last_number)) {
      show_verdict(newest);
    } else if (is_another && main.dataset.tone !== "alarm") {
      // Its list is the ledger's, which has no faults: a STOP stays until something is scanned, and nothing turns green by itself.
      show_idle();
    }
    daemon = told.daemon;
    last_number = newest ? newest.number : 0;
  };

  const take = (told) => {
    if (told.scans) { take_all(told); }
    if (told.scan && told.scan.number > last_number) {
      last_number = told.scan.number;
      show_verdict(told.scan);
      sound(told.scan.tone);
      const rows = by("scans");
      rows.prepend(row_of(told.scan));
      while (rows.children.length > SHOWN_MAX) { rows.lastElementChild.remove(); }
      text("live", [told.scan.says, told.scan.why, told.scan.todo, told.scan.place].filter(Boolean).join(". "));
    }
    show_state(told.state);
  };

  const hear = () => {
    heard_at = performance.now();
    by("lost").hidden = true;
  };
  const stream = new EventSource("/events");
  for (const name of ["hello", "scan", "state"]) {
    stream.addEventListener(name, (event) => { hear(); take(JSON.parse(event.data)); });
  }
  stream.addEventListener("beat", hear);
  stream.addEventListener("error", () => {
    by("lost").hidden = false;
    // Refused for good: whoever was signed in is not any more.
    if (stream.readyState === EventSource.CLOSED) { setTimeout(() => location.reload(), 3000); }
  });
  setInterval(() => {
    if (performance.now() - heard_at > SILENCE_MAX_MS) { by("lost").hidden = false; }
  }, 1000);

  if (audio) {
    const allow = () => { audio.resume().then(show_sound); };
    by("sound").addEventListener("click", () => { allow(); sound("good"); });
    document.addEventListener("pointerdown", allow, { once: true });
    document.addEventListener("keydown", allow, { once: true });
    audio.addEventListener("statechange", show_sound);
  }
  show_sound();
})();
