/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Puts the parts together.
 */
function showNavigation() {
  for (const section of document.querySelectorAll("main > section")) {
    if (section.hidden || !section.dataset.name) continue;
    byId("nav").append(make("a", { href: `#${section.id}` }, section.dataset.name));
  }
}

/* What is drawn on a canvas does not change its colours by itself. */
function repaint() {
  if (!picture) return;
  picture.colours = null;
  picture.draw();
  redrawPlots();
}

showVerdict();
showLook();
if (!look) showTimeline();
showFindings();
if (!look) {
  showCharts();
  showDistributions();
  showMappings();
}
showWaits();
showWorth();
showNavigation();
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
window.addEventListener("beforeprint", repaint);
window.addEventListener("afterprint", repaint);
document.documentElement.dataset.ready = String(Math.round(performance.now()));
