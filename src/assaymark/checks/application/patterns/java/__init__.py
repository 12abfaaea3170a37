"""Java: servlets, Spring, JAX-RS, JDBC, JPA and the standard library."""
