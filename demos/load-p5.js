// Loads p5: from this machine (npm install --prefix demos), else from one pinned address. Says so when there is neither.
(function () {
  const own = document.currentScript;
  const builds = {
    2: {
      local: "node_modules/p5/lib/p5.min.js",
      pinned: "https://cdn.jsdelivr.net/npm/p5@2.3.4/lib/p5.min.js",
      integrity: "sha384-Cs48F1uukMPysq29xNsf/FZL5ZNGsPfi6lDSGOxo6dypVFFiWO9Q3YbRKoXPPBii",
    },
    1: {
      local: "node_modules/p5-v1/lib/p5.min.js",
      pinned: "https://cdn.jsdelivr.net/npm/p5@1.11.12/lib/p5.min.js",
      integrity: "sha384-1q0sXf4kDfZkP3cwRllj09w6u9EKtUHS8IJ6PitXT9wTz9s0R0ir/u/YNLpxssq3",
    },
  };
  const build = builds[own.dataset.p5 || "2"];

  function load(address, integrity, otherwise) {
    const script = document.createElement("script");
    if (integrity) Object.assign(script, { integrity, crossOrigin: "anonymous" });
    script.src = address;
    script.async = false;
    script.onerror = otherwise;
    document.head.append(script);
  }

  function giveUp() {
    const note = document.createElement("p");
    note.setAttribute("role", "alert");
    note.textContent = "p5.js is not on this computer, and there is no network to fetch it from. With Node.js installed, type once: npm install --prefix demos";
    Object.assign(note.style, { font: "18px/1.5 system-ui, sans-serif", maxWidth: "34em", margin: "15vh auto", padding: "0 1em", color: "#eee" });
    const show = () => document.body.append(note);
    if (document.body) show();
    else addEventListener("DOMContentLoaded", show);
  }

  load(new URL(build.local, own.src), null, () => load(build.pinned, build.integrity, giveUp));
})();
