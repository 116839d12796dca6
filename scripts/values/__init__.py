"""What the user wrote: values with file and line, checked, up to resolved parameters and names."""
