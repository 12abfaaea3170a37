export const money = (cents) => (cents / 100).toFixed(2);

export const row = (order) => `<li data-number="${order.number}">${order.customer}: ${money(order.total)}</li>`;
