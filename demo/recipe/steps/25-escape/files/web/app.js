import { Api } from "./api.js";
import { row } from "./format.js";

const api = new Api(new URLSearchParams(location.search).get("shop") ?? "north");
const list = document.querySelector("#orders");

async function show(customer) {
  list.replaceChildren(...(await api.search(customer)).map(row));
}

document.querySelector("#search").addEventListener("submit", (event) => {
  event.preventDefault();
  show(new FormData(event.target).get("customer"));
});
show("");
