"""Go: net/http, gin, echo, fiber, database/sql, sqlx, gorm and the standard library."""
