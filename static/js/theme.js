// Runs before the first paint: the stored theme, or the system's; and says that scripts run.
(() => {
  const root = document.documentElement;
  let stored = null;
  try { stored = localStorage.getItem("theme"); } catch { /* storage may be forbidden */ }
  const dark = stored ? stored === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.bsTheme = dark ? "dark" : "light";
  root.dataset.js = "";
})();
