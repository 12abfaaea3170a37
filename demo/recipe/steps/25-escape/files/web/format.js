export const money = (cents) => (cents / 100).toFixed(2);

export function row(order) {
  const item = document.createElement("li");
  item.dataset.number = order.number;
  item.textContent = `${order.customer}: ${money(order.total)}`;
  return item;
}
