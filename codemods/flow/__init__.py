"""What happens inside one function: lifetimes of sessions and of what they load. Reads trees and the project only."""
