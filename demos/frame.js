// The line below a demo: the way back, and whether it hears an engine or a recorded take. Sketches do not need it.
addEventListener("load", () => {
  const line = document.createElement("div");
  line.className = "frame";
  const back = document.createElement("a");
  back.href = "../";
  back.textContent = "all sketches";
  const source = document.createElement("span");
  source.className = "source";
  line.append(back, source);
  document.body.append(line);
  const words = { engine: "live", take: "a recorded take; start tmstream, and play yourself", none: "waiting for tmstream" };
  setInterval(() => {
    const from = (typeof tm !== "undefined" && tm && tm.source) || "none";
    if (source.textContent === words[from]) return;
    source.textContent = words[from];
    source.className = `source ${from}`;
  }, 300);
});
