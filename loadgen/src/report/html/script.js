for (const figure of document.querySelectorAll(".chart")) {
  const { places, series } = JSON.parse(figure.dataset.points);
  const area = figure.querySelector(".area");
  const cursor = figure.querySelector(".cursor");
  const tip = figure.querySelector(".tip");
  let at = -1;

  const row = (name, tone, value) => {
    const line = document.createElement("div");
    const mark = document.createElement("i");
    mark.className = tone;
    line.append(mark, name + " " + value);
    return line;
  };
  const read = index => {
    at = Math.max(0, Math.min(places.length - 1, index));
    const [x, label] = places[at];
    const title = document.createElement("b");
    title.textContent = label;
    const rows = series.filter(([, , values]) => values[at] !== null);
    tip.replaceChildren(title, ...rows.map(([name, tone, values]) => row(name, tone, values[at])));
    cursor.style.left = tip.style.left = x * 100 + "%";
    tip.style.transform = x > 0.5 ? "translateX(calc(-100% - 10px))" : "translateX(10px)";
    area.classList.add("reading");
  };
  const point = event => {
    const box = area.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width;
    let nearest = 0;
    places.forEach(([place], index) => {
      if (Math.abs(place - x) < Math.abs(places[nearest][0] - x)) nearest = index;
    });
    read(nearest);
  };
  area.addEventListener("pointermove", point);
  area.addEventListener("pointerdown", point);
  area.addEventListener("pointerleave", () => area.classList.remove("reading"));
  area.addEventListener("blur", () => area.classList.remove("reading"));
  area.addEventListener("keydown", event => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    read(at + step);
  });
}
