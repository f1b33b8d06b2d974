/** What every view needs of the document. */

export const byId = (id) => document.getElementById(id);

/** Make an element: properties, `data` and attributes, then its children. */
export function make(tag, { attributes = {}, data = {}, ...properties } = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  Object.assign(element.dataset, data);
  element.append(...children);
  return element;
}

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** Show an item of each child; children stay, so that nothing in use is torn away. */
export function showItems(parent, items, create, update) {
  while (parent.children.length > items.length) parent.lastElementChild.remove();
  items.forEach((item, index) => {
    if (index === parent.children.length) parent.append(create(index));
    update(parent.children[index], item, index);
  });
}

/** Set what differs: assistive software hears of every setting. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Paint a picture onto a canvas of its size. */
export function paint(canvas, picture) {
  if (canvas.painted === picture) return;
  canvas.painted = picture;
  canvas.width = picture.width;
  canvas.height = picture.height;
  canvas.getContext("2d").drawImage(picture, 0, 0);
}

/** Say a thing that those who cannot see would miss. */
export function announce(text) {
  byId("announcer").textContent = text;
}
