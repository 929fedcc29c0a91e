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
  const words = { engine: "live", take: "recorded take: start tmstream to play yourself", none: "waiting for tmstream" };
  setInterval(() => {
    const here = typeof tm !== "undefined" && tm ? tm : { source: null };
    const from = here.source ?? "none";
    const said = from === "take" && here.engine ? "recorded take, until tmstream sees somebody: switch on “My camera” in the studio" : words[from];
    if (source.textContent === said) return;
    source.textContent = said;
    source.className = `source ${from}`;
  }, 300);
});
