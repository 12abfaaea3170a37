import { Api } from "./api.js";
import { row } from "./format.js";

const api = new Api(new URLSearchParams(location.search).get("shop") ?? "north");
const list = document.querySelector("#orders");

async function show(customer) {
  list.innerHTML = (await api.search(customer)).map(row).join("");
}

document.querySelector("#search").addEventListener("submit", (event) => {
  event.preventDefault();
  show(new FormData(event.target).get("customer"));
});
show("");
